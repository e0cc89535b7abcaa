//! Why something is allowed, or what is missing.

use naru_model::policy::{Decision, Grounds, Refusal};
use naru_model::{PackagePath, Role};
use naru_registry::explain::{ExplainedSubject, Explanation};
use serde::Serialize;
use utoipa::ToSchema;

/// Why something is allowed, or what is missing and what would give it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationView {
    /// The package as the registry names it: `owner/name`.
    package: String,
    package_type: String,
    /// Whether there is such a package, as far as you may know.
    exists: bool,
    /// Who was asked about: `you`, `user NAME`, `token NUMBER` or `repository OWNER/NAME`.
    subject: String,
    /// What was asked about.
    permission: String,
    allowed: bool,
    /// Why, or what is missing and what would give it, in a sentence.
    reason: String,
    /// The role that counted, if there is one: `read`, `write` or `admin`.
    role: Option<String>,
    /// The permission that is missing, by the name in the registry's refusals, such as
    /// `write_package`.
    missing_permission: Option<String>,
    /// The scope that the token lacks.
    missing_scope: Option<String>,
    /// What would help.
    remedy: Option<String>,
}

impl ExplanationView {
    /// The answer to a question about the package at `path`.
    pub(crate) fn new(
        path: &PackagePath,
        subject: &ExplainedSubject,
        explanation: &Explanation,
    ) -> Self {
        let view = Self {
            package: path.to_string(),
            package_type: path.package_type.to_string(),
            exists: explanation.exists,
            subject: subject.to_string(),
            permission: explanation.permission.as_str().to_owned(),
            allowed: explanation.allowed,
            reason: explanation.reason.clone(),
            ..Self::default()
        };
        match &explanation.decision {
            Some(Decision::Allowed(grounds)) => view.granted(*grounds),
            Some(Decision::Refused(refusal)) => view.refused(refusal),
            None => view,
        }
    }

    fn granted(self, grounds: Grounds) -> Self {
        let role = match grounds {
            Grounds::Role { role, .. } => Some(role),
            _ => None,
        };
        Self {
            role: role.map(|role: Role| role.to_string()),
            ..self
        }
    }

    fn refused(self, refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Role {
                missing,
                have,
                remedy,
            } => Self {
                role: have.map(|role| role.to_string()),
                missing_permission: Some(missing.to_string()),
                remedy: Some(remedy.to_string()),
                ..self
            },
            Refusal::Scope {
                permission,
                missing,
            } => Self {
                missing_permission: Some(permission.to_string()),
                missing_scope: Some(missing.to_string()),
                ..self
            },
            Refusal::Installation { permission } => Self {
                missing_permission: Some(permission.to_string()),
                ..self
            },
            Refusal::Unauthenticated
            | Refusal::Suspended
            | Refusal::InstallationGone
            | Refusal::Unknown
            | Refusal::TokenTooNarrow { .. } => self,
        }
    }
}
