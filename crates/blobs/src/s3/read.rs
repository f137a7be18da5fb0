//! Reading: a stream that is taken up again where its connection broke.

use std::io;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt as _, try_unfold};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore as _, ObjectStoreExt as _,
};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::StreamReader;

use super::S3;
use super::fault::{Act, CHANGED};
use crate::{Error, Key, Reader};

/// How often in a row a stream is taken up without a byte of progress.
const TRIES: u32 = 3;

pub(super) type Pieces = BoxStream<'static, io::Result<Bytes>>;

impl S3 {
    pub(super) async fn reader(&self, key: Key) -> Result<Reader, Error> {
        let act = Act::on_key("read", key);
        let (bytes, pieces) = self.pieces(act, self.0.path(key)).await?;
        Ok(Reader::new(key, bytes, Box::new(StreamReader::new(pieces))))
    }

    pub(super) async fn whole(&self, key: Key, max_bytes: u64) -> Result<Bytes, Error> {
        let mut reader = self.reader(key).await?;
        if reader.bytes() > max_bytes {
            return Err(Error::TooLarge { limit: max_bytes, measured: reader.bytes() });
        }
        let mut content = BytesMut::with_capacity(usize::try_from(reader.bytes()).unwrap_or(0));
        while reader.read_buf(&mut content).await.map_err(|error| Error::from_read(key, error))? > 0
        {
        }
        Ok(content.freeze())
    }

    pub(super) async fn length(&self, act: &Act, path: &Path) -> Result<Option<u64>, Error> {
        match self.0.store.head(path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(error) => match self.0.failed(act, error) {
                Error::NotFound { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    /// The size of an object, and its bytes.
    pub(super) async fn pieces(&self, act: Act, path: Path) -> Result<(u64, Pieces), Error> {
        let result = self
            .0
            .store
            .get_opts(&path, GetOptions::default())
            .await
            .map_err(|error| self.0.failed(&act, error))?;
        let (size, meta) = (result.meta.size, result.meta.clone());
        let reading = Reading {
            s3: self.clone(),
            act,
            path,
            meta,
            stream: result.into_stream(),
            at: 0,
            tries: 0,
        };
        let pieces = try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|piece| (piece, reading)))
        });
        Ok((size, pieces.boxed()))
    }
}

/// An object that is being read.
struct Reading {
    s3: S3,
    act: Act,
    path: Path,
    meta: ObjectMeta,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    at: u64,
    tries: u32,
}

impl Reading {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while self.at < self.meta.size {
            match self.stream.next().await {
                Some(Ok(piece)) => {
                    self.at += piece.len() as u64;
                    self.tries = 0;
                    return Ok(Some(piece));
                }
                Some(Err(error)) => {
                    let error = self.s3.0.failed(&self.act, error);
                    self.take_up(error).await?;
                }
                None => self.take_up(self.act.backend("it ended too early".to_owned())).await?,
            }
        }
        Ok(None)
    }

    /// Asks for the rest of the same object.
    async fn take_up(&mut self, because: Error) -> io::Result<()> {
        self.tries += 1;
        if self.tries > TRIES {
            return Err(io::Error::other(because));
        }
        let rest = GetOptions {
            range: Some(GetRange::Bounded(self.at..self.meta.size)),
            if_match: self.meta.e_tag.clone(),
            ..GetOptions::default()
        };
        let result = self.s3.0.store.get_opts(&self.path, rest).await;
        let result =
            result.map_err(|error| io::Error::other(self.s3.0.failed(&self.act, error)))?;
        if !self.is_same(&result) {
            return Err(io::Error::other(self.act.backend(CHANGED.to_owned())));
        }
        self.stream = result.into_stream();
        Ok(())
    }

    /// Not every server heeds `If-Match`.
    fn is_same(&self, result: &GetResult) -> bool {
        result.meta.e_tag == self.meta.e_tag && result.meta.size == self.meta.size
    }
}
