//! The three ways to say whose things are meant (PRODUCT, "owner forms").

/// The path and the name of one operation for an organization, for the caller and for a user, in
/// the vendor's manner: `for_owners!("/packages", "packages/list")`.
macro_rules! for_owners {
    ($path:literal, $id:literal) => {
        [
            (
                concat!("/orgs/{org}", $path),
                concat!($id, "-for-organization"),
            ),
            (
                concat!("/user", $path),
                concat!($id, "-for-authenticated-user"),
            ),
            (
                concat!("/users/{username}", $path),
                concat!($id, "-for-user"),
            ),
        ]
    };
}

pub(super) use for_owners;
