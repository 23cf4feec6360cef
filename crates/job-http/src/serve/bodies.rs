//! Bounds on the bodies of slow requests, and of answers that a client does not take.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::activity::Request;

/// The body of a request did not arrive in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body of the request did not come in time: all of it must be there within {0:?}")]
pub(crate) struct TooSlow(Duration);

/// The body of a request. Reading it fails if it is not whole in time, counted from the first read.
#[derive(Debug)]
pub(super) struct Asked {
    inner: Incoming,
    time: Duration,
    left: Option<Pin<Box<Sleep>>>,
}

impl Asked {
    pub(super) const fn new(inner: Incoming, time: Duration) -> Self {
        Self { inner, time, left: None }
    }
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let time = self.time;
        let left = self.left.get_or_insert_with(|| Box::pin(sleep(time)));
        left.as_mut().poll(context).map(|()| Some(Err(TooSlow(time).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of an answer. Its request counts as open until this is dropped.
#[derive(Debug)]
pub(super) struct Answered {
    inner: Body,
    request: Request,
    /// Whether the connection has other answers, which may go on while this one stands still.
    shared: bool,
    offered: bool,
}

impl Answered {
    pub(super) const fn new(inner: Body, request: Request, shared: bool) -> Self {
        Self { inner, request, shared, offered: false }
    }
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        let offered = self.shared && matches!(frame, Poll::Ready(Some(Ok(_))));
        if offered || self.offered {
            self.request.offered(offered);
            self.offered = offered;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
