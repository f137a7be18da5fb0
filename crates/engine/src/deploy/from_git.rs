//! Deploying from a Git repository: fetched within the request, packed as the
//! same files would be by hand, and deployed like any archive.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use domain::CompanyId;
use domain::permission::Principal;
use moka::sync::Cache;
use store::deployments::{Deployment, Source};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Engine, Error};

/// Repositories fetched at once, over all companies: each may take a gigabyte
/// of disk and a core.
const AT_ONCE: usize = 4;
/// Those of one company.
const OF_A_COMPANY: usize = 2;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// When trying again makes sense where the turn did not come.
const RETRY_AFTER: Duration = Duration::from_secs(15);

/// Who may fetch now.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    companies: Cache<CompanyId, Arc<Semaphore>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            companies: Cache::builder().max_capacity(10_000).build(),
        }
    }
}

impl Turns {
    /// The company's own turn first, so that one that asks for many leaves
    /// the others' places free.
    async fn take(
        &self,
        company: CompanyId,
        patience: Duration,
    ) -> Result<[OwnedSemaphorePermit; 2], Error> {
        let own = self.companies.get_with(company, || Arc::new(Semaphore::new(OF_A_COMPANY)));
        let turn = async {
            let own = own.acquire_owned().await.ok()?;
            Some([own, self.all.clone().acquire_owned().await.ok()?])
        };
        let turn = tokio::time::timeout(patience, turn).await;
        turn.ok().flatten().ok_or(Error::FetchesBusy { retry_after: RETRY_AFTER })
    }
}

/// The archive that a repository's files are put into as they come, or why it
/// can't be made.
struct Packed(io::Result<package::Packing>);

impl git::Sink for Packed {
    fn file(&mut self, path: &str, content: &mut dyn io::Read) -> io::Result<()> {
        if let Ok(packing) = &mut self.0
            && let Err(error) = packing.add(path, content)
        {
            self.0 = Err(error);
        }
        Ok(())
    }
}

impl Engine {
    /// Fetches a folder of a repository and accepts it as an archive; its
    /// stages go on in the background. Nothing of the caller's token is kept.
    pub async fn deploy_from_git(
        &self,
        who: &Principal,
        request: git::Request,
    ) -> Result<Deployment, Error> {
        if self.closing.is_cancelled() {
            return Err(Error::ShuttingDown);
        }
        let (url, path) = (request.url.clone(), request.path.clone());
        let reference = request.reference.clone();
        let turn = self.fetching.take(who.company, PATIENCE).await?;
        let limit_bytes = self.limits.archive_bytes;
        let packed = Packed(Ok(package::Packing::new(limit_bytes)));
        let git::Fetched { commit, files: Packed(packed) } =
            self.git.fetch(request, packed).await?;
        let archive =
            packed.and_then(package::Packing::finish).map_err(|error| match error.kind() {
                io::ErrorKind::FileTooLarge => Error::TooLarge { what: "archive", limit_bytes },
                _ => Error::Internal(format!("a repository can't be packed: {error}")),
            })?;
        drop(turn);
        let source = Source { url, reference, commit, path };
        self.accept_archive(who, archive.into(), Some(source)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_company_has_two_turns_and_all_together_four() {
        let turns = Turns::default();
        let [one, other, third] = [(); 3].map(|()| CompanyId::new());
        let mut taken = Vec::new();
        let now = Duration::ZERO;
        for company in [one, one, other, other] {
            taken.push(turns.take(company, PATIENCE).await.unwrap());
        }
        for company in [one, third] {
            let refused = turns.take(company, now).await;
            assert!(matches!(refused, Err(Error::FetchesBusy { .. })), "{refused:?}");
        }
        taken.pop();
        assert!(turns.take(one, now).await.is_err(), "its own turns are taken");
        assert!(turns.take(third, now).await.is_ok());
    }
}
