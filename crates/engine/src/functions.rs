//! Functions as callers see them: search, look up, archive, delete.

use std::sync::Arc;

use domain::function::FunctionRef;
use domain::permission::Principal;
use domain::{Digest, FunctionId};
use store::audit::Entry;
use store::functions::{Filter, Function, Version};
use store::{Cursor, Page};

use crate::catalog::Deployed;
use crate::{Content, Engine, Error};

impl Engine {
    /// A page of the company's functions.
    pub async fn functions(
        &self,
        who: &Principal,
        filter: Filter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Function>, Error> {
        Ok(self.store.functions(who.company, filter, after, limit).await?)
    }

    /// The version that a reference means, its newest where none is named.
    pub async fn function(
        &self,
        who: &Principal,
        reference: &FunctionRef,
    ) -> Result<Arc<Deployed>, Error> {
        self.resolve(who.company, &who.company_name, reference).await
    }

    /// The versions of a function, newest first.
    pub async fn versions(
        &self,
        who: &Principal,
        reference: &FunctionRef,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Version>, Error> {
        let function = self.function(who, reference).await?.version.function;
        Ok(self.store.versions(who.company, function, after, limit).await?)
    }

    /// The ZIP that a version was deployed from, as it was uploaded.
    pub async fn archive(
        &self,
        who: &Principal,
        reference: &FunctionRef,
    ) -> Result<(Version, Content), Error> {
        let version = self.function(who, reference).await?.version.clone();
        let key = archive_key(who.company, version.archive);
        Ok((version, Content::open(&self.blobs, key).await?))
    }

    /// Deletes a function. Its tasks and their results stay.
    pub async fn delete_function(
        &self,
        who: &Principal,
        reference: &FunctionRef,
    ) -> Result<FunctionId, Error> {
        let deployed = self.function(who, reference).await?;
        let id = deployed.version.function;
        let entry = Entry::by(who, "function.delete", deployed.version.name.clone());
        if !self.store.delete_function(who.company, id, Some(entry)).await? {
            return Err(Error::NotFound("function"));
        }
        self.forget_names();
        Ok(id)
    }

    /// The bytes of a version's archive, for a worker that unpacks it.
    pub async fn archive_bytes(&self, version: &Version) -> Result<bytes::Bytes, Error> {
        let key = archive_key(version.company, version.archive);
        Ok(self.blobs.get(key, self.limits.archive_bytes).await?)
    }
}

/// Where the archive with this content digest lies.
pub(crate) fn archive_key(company: domain::CompanyId, digest: Digest) -> blobs::Key {
    blobs::Key::digest(company, blobs::Area::Archive, digest)
}
