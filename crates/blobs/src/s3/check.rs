//! Whether the bucket can be used, tried at the start.

use bytes::Bytes;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::{ObjectStoreExt as _, path::Path};
use uuid::Uuid;

use super::fault::Act;
use super::{Inner, S3};
use crate::Error;

pub(super) const FOLDER: &str = "checking";
const CONTENT: &[u8] = b"MecaPy looks whether it can use this bucket.";

impl S3 {
    /// Lists, writes, reads and deletes an object below the prefix. The error
    /// says what to change.
    pub async fn check(&self) -> Result<(), Error> {
        let inner = &*self.0;
        inner.can_list().await?;
        let name = format!("{FOLDER}/{}", Uuid::now_v7());
        let path = inner.settings.path(&name);
        inner.put_whole(&Act::on("write", &name), &path, Bytes::from_static(CONTENT)).await?;
        let read = inner.can_read(&name, &path).await;
        // It is deleted also where it could not be read.
        let deleted = inner.store.delete(&path).await;
        read?;
        deleted.map_err(|error| inner.failed(&Act::on("delete", &name), error))
    }
}

impl Inner {
    async fn can_list(&self) -> Result<(), Error> {
        let options = PaginatedListOptions { max_keys: Some(1), ..PaginatedListOptions::default() };
        let listed = self.store.list_paginated(Some(&self.below("")), options).await;
        listed.map_err(|error| self.failed(&Act::on("list", "the bucket"), error))?;
        Ok(())
    }

    async fn can_read(&self, name: &str, path: &Path) -> Result<(), Error> {
        let act = Act::on("read", name);
        let failed = |error| self.failed(&act, error);
        let read = self.store.get(path).await.map_err(failed)?.bytes().await.map_err(failed)?;
        if read != CONTENT {
            return Err(act.backend("other bytes came back than were written".to_owned()));
        }
        Ok(())
    }
}
