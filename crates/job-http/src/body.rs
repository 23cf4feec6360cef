//! Bodies of answers that are read from the store while the client takes them.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{Stream, future::BoxFuture};
use job_runner::StoreError;

use crate::{calls::Calls, failure::ApiFailure};

/// An answer of JSON.
pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The most pieces of one batch. A request holds at most two batches.
const PIECES: usize = 16;
/// A batch with that many bytes takes no further piece.
const BATCH: usize = 1 << 20;

/// A source of pieces. Blocking threads read them, one batch at a time, unless they are in memory already.
pub(crate) trait Source: Send {
    /// The next piece, which may be read from the store.
    fn next(&mut self) -> Option<Result<Bytes, StoreError>>;

    /// The next piece, if that needs no read. `Pending` if it does.
    fn poll_held(&mut self) -> Poll<Option<Result<Bytes, StoreError>>> {
        Poll::Pending
    }
}

impl Source for job_runner::Pieces {
    fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        Iterator::next(self)
    }

    fn poll_held(&mut self) -> Poll<Option<Result<Bytes, StoreError>>> {
        self.poll_held()
    }
}

/// Pieces that are made by a read of each.
pub(crate) struct Read<I>(pub(crate) I);

impl<I: Iterator<Item = Result<Vec<u8>, StoreError>> + Send> Source for Read<I> {
    fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        Some(self.0.next()?.map(Bytes::from))
    }
}

/// Starts a body, on a blocking thread. It reads the first batch before the answer begins, so an early failure of
/// the store is still an error answer. A body that fails later is cut off, and every client notices that.
pub(crate) fn start(pieces: impl Source + 'static, calls: &Calls) -> Result<Body, ApiFailure> {
    let first = read_batch(Box::new(pieces));
    if let Some(error) = first.error {
        return Err(error.into());
    }
    Ok(match first.rest {
        // The first batch is everything, so the answer has its length.
        None => Body::from(first.pieces.concat()),
        Some(rest) => Body::from_stream(Pull {
            calls: calls.clone(),
            ready: first.pieces.into(),
            rest: Some(rest),
            reading: None,
            error: None,
        }),
    })
}

#[derive(Default)]
struct Batch {
    pieces: Vec<Bytes>,
    rest: Option<Box<dyn Source>>,
    error: Option<StoreError>,
}

fn read_batch(mut pieces: Box<dyn Source>) -> Batch {
    let mut batch = Batch::default();
    let mut bytes = 0;
    while batch.pieces.len() < PIECES && bytes < BATCH {
        match pieces.next() {
            Some(Ok(piece)) => {
                bytes += piece.len();
                batch.pieces.push(piece);
            }
            Some(Err(error)) => {
                batch.error = Some(error);
                return batch;
            }
            None => return batch,
        }
    }
    batch.rest = Some(pieces);
    batch
}

/// Takes pieces that are in memory one by one, as the client takes them. Others are read a batch ahead, while the last one is
/// sent. A client that takes nothing holds no thread. When a client goes, the rest is not read.
struct Pull {
    calls: Calls,
    ready: VecDeque<Bytes>,
    rest: Option<Box<dyn Source>>,
    reading: Option<BoxFuture<'static, Result<Batch, ApiFailure>>>,
    error: Option<StoreError>,
}

impl Stream for Pull {
    type Item = Result<Bytes, axum::BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(mut rest) = self.rest.take() {
                match rest.poll_held() {
                    Poll::Ready(Some(Ok(piece))) => {
                        self.ready.push_back(piece);
                        self.rest = Some(rest);
                    }
                    Poll::Ready(Some(Err(error))) => self.error = Some(error),
                    Poll::Ready(None) => {}
                    Poll::Pending => {
                        self.reading = Some(Box::pin(self.calls.go_on(move || read_batch(rest))));
                    }
                }
            }
            if let Some(piece) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(piece)));
            }
            if let Some(error) = self.error.take() {
                tracing::error!(%error, "a page was cut off: its rows cannot be read");
                return Poll::Ready(Some(Err(error.into())));
            }
            let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
            let batch = ready!(reading.as_mut().poll(context));
            self.reading = None;
            let batch = batch.map_err(|failure| failure.message().to_owned())?;
            self.ready = batch.pieces.into();
            self.rest = batch.rest;
            self.error = batch.error;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::StreamExt;
    use job_runner::store::ErrorKind;
    use tokio::task::spawn_blocking;

    use super::*;

    type Pieces = Box<dyn Iterator<Item = Result<Vec<u8>, StoreError>> + Send>;

    fn read(pieces: Pieces) -> Result<Body, ApiFailure> {
        start(Read(pieces), &Calls::new(4))
    }

    /// A body in pieces, with a counter of the pieces that were read. The last piece may fail.
    fn pieces(number: usize, fails: bool) -> (Pieces, Arc<AtomicUsize>) {
        let read = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&read);
        let pieces = (0..number).map(move |piece| {
            count.fetch_add(1, Ordering::SeqCst);
            if fails && piece + 1 == number {
                return Err(StoreError::new(ErrorKind::Corrupt, "read rows", "a block is damaged"));
            }
            Ok(vec![b'a'; 10])
        });
        (Box::new(pieces), read)
    }

    #[tokio::test]
    async fn nobody_reads_ahead_of_a_client_that_does_not_take_what_is_there() {
        let (pieces, count) = pieces(1_000, false);
        let mut body = read(pieces).unwrap().into_data_stream();
        assert!(body.next().await.unwrap().is_ok());
        // Blocking threads run queued calls in order. After this call, the read before it is over.
        for _ in 0..100 {
            spawn_blocking(|| {}).await.unwrap();
        }
        assert!(count.load(Ordering::SeqCst) <= 2 * PIECES);
        drop(body);
        assert!(count.load(Ordering::SeqCst) <= 2 * PIECES);
    }

    #[tokio::test]
    async fn a_store_that_fails_at_once_is_an_error_and_later_a_body_that_is_cut_off() {
        let (early, _) = pieces(PIECES, true);
        assert_eq!(read(early).unwrap_err().status(), 500);
        let (late, _) = pieces(3 * PIECES, true);
        let sent: Vec<_> = read(late).unwrap().into_data_stream().collect().await;
        assert_eq!(sent.len(), 3 * PIECES);
        let failed = sent.iter().filter(|piece| piece.is_err()).count();
        assert!(failed == 1 && sent.last().is_some_and(Result::is_err));
    }

    #[test]
    fn a_batch_ends_with_the_piece_that_fills_it() {
        let large = || Ok(vec![b'a'; BATCH / 2]);
        let batch = read_batch(Box::new(Read(std::iter::repeat_with(large))));
        assert_eq!((batch.pieces.len(), batch.rest.is_some(), batch.error.is_none()), (2, true, true));
        let all = read_batch(Box::new(Read([large()].into_iter())));
        assert_eq!((all.pieces.len(), all.rest.is_none()), (1, true));
    }

    /// Every third piece has to be read, and the last one may fail.
    struct Mixed {
        next: usize,
        end: usize,
        fails: bool,
    }

    impl Source for Mixed {
        fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
            let number = self.next;
            self.next += 1;
            let is_last = number + 1 == self.end;
            (number < self.end).then(|| {
                if self.fails && is_last {
                    return Err(StoreError::new(ErrorKind::Corrupt, "read rows", "a block is damaged"));
                }
                Ok(Bytes::from(vec![u8::try_from(number).unwrap()]))
            })
        }

        fn poll_held(&mut self) -> Poll<Option<Result<Bytes, StoreError>>> {
            if self.next % 3 == 2 { Poll::Pending } else { Poll::Ready(self.next()) }
        }
    }

    #[tokio::test]
    async fn pieces_in_memory_and_pieces_that_are_read_keep_their_order() {
        for (end, fails) in (0..5 * PIECES).flat_map(|end| [(end, false), (end, end > PIECES)]) {
            let mixed = Mixed { next: 0, end, fails };
            let sent: Vec<_> = start(mixed, &Calls::new(4)).unwrap().into_data_stream().collect().await;
            let bytes: Vec<u8> = sent.iter().flatten().flat_map(|piece| piece.to_vec()).collect();
            let whole = end - usize::from(fails);
            assert_eq!(bytes, (0..whole).map(|piece| u8::try_from(piece).unwrap()).collect::<Vec<_>>());
            assert_eq!(sent.iter().any(Result::is_err), fails, "{end} pieces");
        }
    }

    #[tokio::test]
    async fn every_piece_is_sent_once_and_in_order() {
        for number in 0..4 * PIECES {
            let numbered = (0..number).map(|piece| Ok(vec![u8::try_from(piece).unwrap()]));
            let sent = read(Box::new(numbered)).unwrap().into_data_stream();
            let bytes: Vec<u8> = sent.map(|piece| piece.unwrap().to_vec()).concat().await;
            assert_eq!(bytes, (0..number).map(|piece| u8::try_from(piece).unwrap()).collect::<Vec<_>>());
        }
    }
}
