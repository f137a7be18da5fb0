//! What is there, in order, page by page; and the deletion of all of it.

use std::borrow::Cow;

use domain::{CompanyId, Timestamp};
use futures_util::StreamExt as _;
use object_store::ObjectStore as _;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};

use super::fault::Act;
use super::{INCOMING, Inner};
use crate::{Area, Error, Key, Listed};

/// The most that a server lists at once.
const PAGE: usize = 1000;

impl Inner {
    pub(super) async fn companies(&self) -> Result<Vec<CompanyId>, Error> {
        let act = Act::on("list", "companies");
        let mut found = Vec::new();
        let mut page_token = None;
        loop {
            let options = PaginatedListOptions {
                delimiter: Some(Cow::Borrowed("/")),
                page_token,
                ..PaginatedListOptions::default()
            };
            let page = self
                .store
                .list_paginated(Some(&self.below("")), options)
                .await
                .map_err(|error| self.failed(&act, error))?;
            let names = page.result.common_prefixes.iter().filter_map(|path| path.filename());
            found.extend(names.filter_map(|name| name.parse::<CompanyId>().ok()));
            page_token = page.page_token;
            if page_token.is_none() {
                found.sort_unstable();
                return Ok(found);
            }
        }
    }

    pub(super) async fn list(
        &self,
        company: CompanyId,
        area: Area,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, Error> {
        let act = Act::on("list", format!("{company}/{area}"));
        let folder = self.below(&format!("{company}/{area}/"));
        let after = after.map(|key| self.path(key).to_string());
        let mut listed = Vec::new();
        let mut page_token = None;
        while listed.len() < limit {
            let options = PaginatedListOptions {
                // A token says already where its page begins.
                offset: after.clone().filter(|_| page_token.is_none()),
                max_keys: Some(PAGE.min(limit - listed.len())),
                page_token,
                ..PaginatedListOptions::default()
            };
            let page = self
                .store
                .list_paginated(Some(&folder), options)
                .await
                .map_err(|error| self.failed(&act, error))?;
            listed.extend(page.result.objects.iter().filter_map(|object| {
                let path = object.location.as_ref();
                let name = path.strip_prefix(&folder)?.split_once('/')?.1.parse().ok()?;
                let key = Key { company, area, name };
                // Only what leads back to itself is an object of ours.
                (self.path(key).as_ref() == path).then(|| Listed {
                    key,
                    bytes: object.size,
                    written_at: Timestamp(object.last_modified.timestamp_micros()),
                })
            }));
            page_token = page.page_token;
            if page_token.is_none() {
                break;
            }
        }
        Ok(listed)
    }

    pub(super) async fn delete_company(&self, company: CompanyId) -> Result<(), Error> {
        for folder in [company.to_string(), format!("{INCOMING}/{company}")] {
            self.delete_below(&folder, |_| true).await?;
        }
        Ok(())
    }

    /// Deletes what is below a folder and meets a condition on when it was
    /// written; answers how much.
    pub(super) async fn delete_below(
        &self,
        folder: &str,
        which: impl Fn(Timestamp) -> bool + Send + 'static,
    ) -> Result<u64, Error> {
        let act = Act::on("delete", folder);
        let objects = self.store.list(Some(&self.settings.path(folder)));
        let paths = objects.filter_map(move |object| {
            std::future::ready(match object {
                Ok(object) => which(Timestamp(object.last_modified.timestamp_micros()))
                    .then_some(Ok(object.location)),
                Err(error) => Some(Err(error)),
            })
        });
        let mut deleted = 0;
        let mut answers = self.store.delete_stream(paths.boxed());
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(_) => deleted += 1,
                Err(error) => match self.failed(&act, error) {
                    // Somebody else deleted it.
                    Error::NotFound { .. } => {}
                    error => return Err(error),
                },
            }
        }
        Ok(deleted)
    }
}
