//! Who calls a use case, and for which request.

use naru_model::{Actor, EventKind, Moment, NewEvent, Principal};

/// Who is calling and in which request: what a use case needs to decide, and to say afterwards
/// who made something happen.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who, with the limits of the credential.
    pub principal: Principal,
    /// The request, as it stands in logs and answers.
    pub request_id: Option<String>,
}

impl Caller {
    /// The machine itself: jobs, and the command line beside the data.
    #[must_use]
    pub const fn system() -> Self {
        Self {
            principal: Principal::System,
            request_id: None,
        }
    }

    /// Whose an upload is: `user:7`, `repository:9`.
    pub(crate) fn key(&self) -> String {
        Actor::from(&self.principal).to_string()
    }

    /// Something that this caller made happen.
    pub(crate) fn event(&self, kind: EventKind, now: Moment) -> NewEvent {
        let mut event = NewEvent::new(kind, now, Actor::from(&self.principal));
        event.request_id.clone_from(&self.request_id);
        event
    }
}
