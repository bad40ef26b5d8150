//! A client that writes only while we lead.

use http::Request;
use kube::Client;
use kube::client::Body;
use tower::BoxError;

use super::Tenure;

/// The write was not sent.
#[derive(Debug, thiserror::Error)]
#[error("another replica leads")]
pub struct NotLeading;

/// The same client, which reads as before and sends a write only while we lead. What was sent by
/// then may still be carried out; that it names the version it was decided on is up to who sends it.
pub fn fence(client: Client, tenure: Tenure) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, tenure) = (client.clone(), tenure.clone());
        async move {
            if !request.method().is_safe() && !tenure.leads() {
                return Err(BoxError::from(NotLeading));
            }
            client.send(request).await.map_err(BoxError::from)
        }
    });
    Client::new(service, namespace)
}
