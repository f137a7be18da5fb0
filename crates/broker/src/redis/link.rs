//! The connection: one for calls and for what other processes tell, made
//! again whenever it breaks.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, SendError};
use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, PushInfo, PushKind, RedisError,
    ServerErrorKind, Value, cmd,
};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::server::Server;
use super::told::Local;
use crate::Error;

/// The order, and what is done with it.
const ORDER: &str = concat!(
    include_str!("order.lua"),
    include_str!("workers.lua"),
    include_str!("tasks.lua"),
    include_str!("operations.lua"),
);
/// Rate limits.
const ALLOW: &str = include_str!("allow.lua");

/// How long a call waits for a connection that is being made.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long the server may take for an answer.
const ANSWER: Duration = Duration::from_millis(500);
/// How long a call may take in all.
const CALL: Duration = Duration::from_millis(950);
/// Calls that may be under way before others wait to be sent.
const UNDER_WAY: usize = 1024;

/// A connection that holds, or why there is none.
#[derive(Clone, Debug)]
pub(super) enum State {
    Here(Here),
    Away(Error),
}

/// A connection on which everything is set up.
#[derive(Clone, Debug)]
pub(super) struct Here {
    connection: MultiplexedConnection,
    order: Arc<str>,
    allow: Arc<str>,
    broken: CancellationToken,
}

/// Which script.
#[derive(Clone, Copy)]
pub(super) enum Script {
    Order,
    Allow,
}

/// The server, and the present connection to it.
pub(super) struct Link {
    pub(super) server: Server,
    pub(super) state: watch::Sender<State>,
    channel: Vec<u8>,
}

impl Link {
    /// A link that is not connected yet.
    pub(super) fn new(server: Server, channel: Vec<u8>) -> Self {
        let state = watch::Sender::new(State::Away(server.away("not connected yet".to_owned())));
        Self { server, state, channel }
    }

    /// Connects and sets up: scripts are loaded, and whatever is told from
    /// now on is heard.
    pub(super) async fn connect(&self, local: &Arc<Local>) -> Result<Here, Error> {
        let broken = CancellationToken::new();
        let (heard, breaks) = (Arc::clone(local), broken.clone());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CALL))
            .set_response_timeout(Some(ANSWER))
            .set_pipeline_buffer_size(UNDER_WAY)
            .set_push_sender(move |push: PushInfo| {
                match (push.kind, push.data.as_slice()) {
                    (PushKind::Disconnection, _) => breaks.cancel(),
                    (PushKind::Message, [_, Value::BulkString(message)]) => heard.hear(message),
                    _ => {}
                }
                Ok::<(), SendError>(())
            });
        let set_up = async {
            let client = self.server.client();
            let mut connection =
                client.get_multiplexed_async_connection_with_config(&config).await?;
            let order = load(&mut connection, ORDER).await?;
            let allow = load(&mut connection, ALLOW).await?;
            connection.subscribe(&self.channel[..]).await?;
            Ok(Here { connection, order, allow, broken })
        };
        set_up.await.map_err(|error: RedisError| self.server.error(&error))
    }

    /// The connection, once it is there.
    pub(super) async fn here(&self) -> Here {
        let mut state = self.state.subscribe();
        loop {
            if let State::Here(here) = &*state.borrow_and_update() {
                return here.clone();
            }
            // The sender lives as long as the link.
            let _ = state.changed().await;
        }
    }

    /// Calls a script, whose first argument is its key. Fails within a second
    /// where nobody answers.
    pub(super) async fn run(&self, script: Script, args: &[&[u8]]) -> Result<Value, Error> {
        self.bounded(async |here| here.run(script, args).await).await
    }

    /// Runs a plain command.
    pub(super) async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        self.bounded(async |mut here: Here| command.query_async(&mut here.connection).await).await
    }

    /// Tells the other processes.
    pub(super) async fn publish(&self, here: &mut Here, message: &[u8]) -> Result<(), Error> {
        let mut command = cmd("PUBLISH");
        command.arg(&self.channel[..]).arg(message);
        let told = command.query_async::<u64>(&mut here.connection).await;
        told.map(drop).map_err(|error| self.server.error(&error))
    }

    async fn bounded<T>(
        &self,
        call: impl AsyncFnOnce(Here) -> Result<T, RedisError>,
    ) -> Result<T, Error> {
        let called = async {
            let here = match timeout(PATIENCE, self.here()).await {
                Ok(here) => here,
                Err(_) => return Err(self.why_away()),
            };
            call(here).await.map_err(|error| self.server.error(&error))
        };
        match timeout(CALL, called).await {
            Ok(result) => result,
            Err(_) => Err(self.server.away(format!("no answer within {} ms", CALL.as_millis()))),
        }
    }

    fn why_away(&self) -> Error {
        match &*self.state.borrow() {
            State::Away(error) => error.clone(),
            State::Here(_) => self.server.away("connected this moment".to_owned()),
        }
    }
}

impl Here {
    /// Resolves when the connection has broken.
    pub(super) async fn broken(&self) {
        self.broken.cancelled().await;
    }

    /// Calls a script on this connection.
    pub(super) async fn run(mut self, script: Script, args: &[&[u8]]) -> Result<Value, RedisError> {
        let (digest, text) = match script {
            Script::Order => (&self.order, ORDER),
            Script::Allow => (&self.allow, ALLOW),
        };
        let mut command = cmd("EVALSHA");
        command.arg(&**digest).arg(1).arg(args);
        match command.query_async(&mut self.connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                // Somebody flushed the scripts, or the server started anew
                // behind the same address.
                load(&mut self.connection, text).await?;
                command.query_async(&mut self.connection).await
            }
            result => result,
        }
    }
}

async fn load(
    connection: &mut MultiplexedConnection,
    script: &str,
) -> Result<Arc<str>, RedisError> {
    let digest: String = cmd("SCRIPT").arg("LOAD").arg(script).query_async(connection).await?;
    Ok(digest.into())
}
