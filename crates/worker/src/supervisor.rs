//! Keeps a sandbox at hand and starts another one where its launcher died.

use sandbox::Sandbox;

/// The sandbox of a worker.
pub(crate) struct Supervisor {
    settings: sandbox::Settings,
    current: tokio::sync::Mutex<Sandbox>,
}

impl Supervisor {
    /// Starts the sandbox; fails where the isolation can't be set up.
    pub(crate) async fn start(settings: sandbox::Settings) -> Result<Self, sandbox::Error> {
        let current = tokio::sync::Mutex::new(Sandbox::start(settings.clone()).await?);
        Ok(Self { settings, current })
    }

    /// The sandbox, a new one where the last one died.
    pub(crate) async fn sandbox(&self) -> Result<Sandbox, sandbox::Error> {
        let mut current = self.current.lock().await;
        if !current.is_alive() {
            tracing::warn!("the sandbox launcher ended; another one is started");
            *current = Sandbox::start(self.settings.clone()).await?;
        }
        Ok(current.clone())
    }

    pub(crate) async fn shutdown(&self) {
        self.current.lock().await.clone().shutdown().await;
    }
}
