//! The operations of attestations that there are twice, for organizations and for users.

use super::{
    AttestationList, BulkList, BulkListed, DeleteRequest, OfPredicate, WRITE, bulk_list,
    delete_by_digest, delete_by_id, delete_request, of_owner,
};
use crate::rest::operation::Operations;
use crate::rest::turning::Turning;

/// The operations that there are for organizations and for users: path and name of each.
pub(super) struct Form {
    list: [&'static str; 2],
    bulk_list: [&'static str; 2],
    delete_request: [&'static str; 2],
    delete_by_digest: [&'static str; 2],
    delete_by_id: [&'static str; 2],
}

pub(super) const FORMS: [Form; 2] = [
    Form {
        list: [
            "/orgs/{org}/attestations/{subject_digest}",
            "orgs/list-attestations",
        ],
        bulk_list: [
            "/orgs/{org}/attestations/bulk-list",
            "orgs/list-attestations-bulk",
        ],
        delete_request: [
            "/orgs/{org}/attestations/delete-request",
            "orgs/delete-attestations-bulk",
        ],
        delete_by_digest: [
            "/orgs/{org}/attestations/digest/{subject_digest}",
            "orgs/delete-attestations-by-subject-digest",
        ],
        delete_by_id: [
            "/orgs/{org}/attestations/{attestation_id}",
            "orgs/delete-attestations-by-id",
        ],
    },
    Form {
        list: [
            "/users/{username}/attestations/{subject_digest}",
            "users/list-attestations",
        ],
        bulk_list: [
            "/users/{username}/attestations/bulk-list",
            "users/list-attestations-bulk",
        ],
        delete_request: [
            "/users/{username}/attestations/delete-request",
            "users/delete-attestations-bulk",
        ],
        delete_by_digest: [
            "/users/{username}/attestations/digest/{subject_digest}",
            "users/delete-attestations-by-subject-digest",
        ],
        delete_by_id: [
            "/users/{username}/attestations/{attestation_id}",
            "users/delete-attestations-by-id",
        ],
    },
];

impl Form {
    pub(super) fn declare(&self, operations: &mut Operations) {
        let [path, id] = self.list;
        operations
            .get(path, of_owner)
            .id(id)
            .summary("List attestations")
            .query::<Turning>()
            .query::<OfPredicate>()
            .answers::<AttestationList>(200, "What is held about the digest, newest first")
            .refuses(&[400, 401, 404]);
        let [path, id] = self.bulk_list;
        operations
            .post(path, bulk_list)
            .id(id)
            .summary("List attestations by bulk subject digests")
            .query::<Turning>()
            .body::<BulkList>()
            .answers::<BulkListed>(200, "What is held about each of the digests")
            .refuses(&[400, 401, 404, 422]);
        let [path, id] = self.delete_request;
        operations
            .post(path, delete_request)
            .id(id)
            .summary("Delete attestations in bulk")
            .description("By numbers or by subject digests. All of them go, or none.")
            .needs(WRITE, "delete attestations")
            .body::<DeleteRequest>()
            .ends(200, "Deleted")
            .refuses(&[400, 401, 403, 404, 422]);
        let [path, id] = self.delete_by_digest;
        operations
            .delete(path, delete_by_digest)
            .id(id)
            .summary("Delete attestations by subject digest")
            .description("An attestation that is about other things too stays for them.")
            .needs(WRITE, "delete attestations")
            .ends(204, "Deleted")
            .refuses(&[401, 403, 404]);
        let [path, id] = self.delete_by_id;
        operations
            .delete(path, delete_by_id)
            .id(id)
            .summary("Delete attestations by ID")
            .needs(WRITE, "delete attestations")
            .ends(204, "Deleted")
            .refuses(&[401, 403, 404]);
    }
}
