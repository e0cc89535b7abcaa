//! What happened, written in the transaction that made it happen.

use naru_metadata::Conn;
use naru_model::{EventKind, Moment, NewEvent};

use crate::Caller;
use crate::access::Authorized;
use crate::error::Result;

/// Something that happened to a package.
pub(crate) fn on_package(
    kind: EventKind,
    caller: &Caller,
    package: &Authorized,
    now: Moment,
) -> NewEvent {
    caller
        .event(kind, now)
        .on_package(package.owner(), package.id())
}

/// Writes the event; it stands or falls with the transaction.
pub(crate) async fn record(conn: &mut Conn, event: NewEvent) -> Result<()> {
    naru_metadata::events::insert(conn, &event).await?;
    Ok(())
}
