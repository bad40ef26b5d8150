//! Whether this process may speak on segments at all.

use std::sync::Arc;
use std::time::Duration;

use sys::netlink::Interface;
use sys::{OpenPacketSocketError, PacketSocket, Protocol};
use tokio::sync::watch;
use tokio::time::timeout;

/// How often it is tried again. A capability can be added only by a restart, but whatever else is
/// in the way may go.
const RETRY: Duration = Duration::from_secs(10);

/// Returns once a packet socket could be opened; says once why that is not so. Before, this node
/// must not offer itself as a candidate.
pub(crate) async fn granted(mut interfaces: watch::Receiver<Arc<[Interface]>>) {
    let mut said = None;
    loop {
        let any = interfaces
            .borrow_and_update()
            .first()
            .map(|interface| interface.index);
        let refused = match any.map(|index| PacketSocket::open(index, Protocol::Arp)) {
            Some(Ok(_)) => return,
            Some(Err(OpenPacketSocketError::Gone { .. })) | None => None,
            Some(Err(
                error @ (OpenPacketSocketError::NotPermitted(_)
                | OpenPacketSocketError::Failed { .. }),
            )) => Some(runtime::log::chain(&error)),
        };
        if refused.is_some() && refused != said {
            tracing::error!(error = refused, "cannot announce anything, trying again");
            said = refused;
        }
        if let Ok(Err(_)) = timeout(RETRY, interfaces.changed()).await {
            // The driver has ended, which somebody else notices.
            std::future::pending::<()>().await;
        }
    }
}
