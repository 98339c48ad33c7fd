//! Where the stand-in for lakeFS keeps its bytes: a bucket for each repository, reached by `object_store` rather than by emm.

use std::{future::Future, pin::Pin};

use futures_util::TryStreamExt;
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as Connector},
    rt::TokioExecutor,
};
use object_store::{
    ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt,
    aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut},
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpResponseBody, HttpService,
    },
    path::Path,
};

use super::{Entries, Entry};
use crate::s3_server::{KEY, SECRET};

/// The server behind.
pub(super) struct Blocks {
    http: Http,
    pub(super) port: u16,
}

#[derive(Debug, Clone)]
struct Http(Client<Connector, HttpRequestBody>);

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
            let answer = self.0.request(request).await;
            let answer = answer.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error))?;
            let failed = |error| HttpError::new(HttpErrorKind::Interrupted, error);
            Ok(answer.map(|body| HttpResponseBody::new(body.map_err(failed))))
        })
    }
}

impl Blocks {
    /// On the server at this port.
    pub(super) fn of(port: u16) -> Blocks {
        Blocks { http: Http(Client::builder(TokioExecutor::new()).build_http()), port }
    }

    pub(super) fn open(&self, bucket: &str) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_http_connector(self.http.clone())
            .with_endpoint(format!("http://127.0.0.1:{}", self.port))
            .with_allow_http(true)
            .with_bucket_name(bucket)
            .with_region("us-east-1")
            .with_access_key_id(KEY)
            .with_secret_access_key(SECRET)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_disable_bulk_delete(true)
            .build()
            .unwrap()
    }

    pub(super) async fn try_out(&self, bucket: &str) {
        self.open(bucket).put(&Path::from("_lakefs/dummy"), "this is dummy data".into()).await.unwrap();
    }
}

/// All that lies in a branch, by its path.
pub(super) async fn listed(store: &AmazonS3, branch: &str) -> Entries {
    let prefix = Path::parse(branch).unwrap();
    let found: Vec<ObjectMeta> = store.list(Some(&prefix)).try_collect().await.unwrap();
    let path = |meta: &ObjectMeta| meta.location.as_ref().strip_prefix(branch).unwrap()[1..].to_owned();
    found.iter().map(|meta| (path(meta), Entry::of(meta))).collect()
}

impl Entry {
    pub(super) fn of(meta: &ObjectMeta) -> Entry {
        let etag = meta.e_tag.as_deref().unwrap_or_default().trim_matches('"').to_owned();
        Entry { etag, size: meta.size, changed: meta.last_modified.timestamp() }
    }
}
