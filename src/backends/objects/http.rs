//! HTTP to a bucket, over the hyper that is in the tree already: object_store would bring reqwest and a second TLS.

use std::{future::Future, io, pin::Pin, time::Duration};

use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Bytes, Frame};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpResponseBody, HttpService,
    },
};

use crate::backends::web;

/// One pool of connections, for everything that a bucket is asked.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: web::Client<HttpRequestBody>,
    /// How long the head of an answer, and then each next piece of it, may take.
    answer_max: Duration,
}

impl Http {
    /// Trusts the certificates of the system, which are read only where TLS is spoken.
    ///
    /// # Errors
    /// When the system has no certificates.
    pub(super) fn new(tls: bool, answer_max: Duration) -> io::Result<Http> {
        Ok(Http { client: web::client(tls, answer_max)?, answer_max })
    }
}

impl HttpConnector for Http {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Http {
    // What `async_trait` would write.
    fn call<'life0, 'async_trait>(
        &'life0 self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let answer = tokio::time::timeout(self.answer_max, self.client.request(request)).await;
            let answer = answer.map_err(|error| HttpError::new(HttpErrorKind::Timeout, error))?;
            let answer = answer.map_err(|error| {
                let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Interrupted };
                HttpError::new(kind, error)
            })?;
            Ok(answer.map(|body| HttpResponseBody::new(impatient(body, self.answer_max))))
        })
    }
}

/// A body of which each piece has to come in time: a server that hangs in the middle of an answer is given up.
fn impatient<B>(body: B, piece_max: Duration) -> impl Body<Data = Bytes, Error = HttpError> + Send + Sync + 'static
where
    B: Body<Data = Bytes, Error = hyper::Error> + Send + Sync + Unpin + 'static,
{
    let pieces = stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        let piece: Result<Frame<Bytes>, HttpError> = match tokio::time::timeout(piece_max, body.frame()).await {
            Ok(None) => return None,
            Ok(Some(Ok(piece))) => return Some((Ok(piece), Some(body))),
            Ok(Some(Err(error))) => Err(HttpError::new(HttpErrorKind::Interrupted, error)),
            Err(error) => Err(HttpError::new(HttpErrorKind::Timeout, error)),
        };
        Some((piece, None))
    });
    // Whoever reads asks again after the end, which an unfold does not take.
    StreamBody::new(Box::pin(pieces.fuse()))
}
