//! What must be answered: two tables, read by eye, and a few rules about tokens. Nothing here
//! knows how the server decides.

use super::routes::Needs;

/// What a caller is to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// May not know that it is there.
    None,
    Read,
    Write,
    Admin,
}

/// A package, by who may read it without a role; or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Target {
    Public,
    Internal,
    Private,
    /// The owner is there, the package is not.
    Absent,
    /// Neither is there.
    Nobody,
}

impl Target {
    pub(super) const ALL: [Self; 5] = [
        Self::Public,
        Self::Internal,
        Self::Private,
        Self::Absent,
        Self::Nobody,
    ];
}

/// Roles on an organization's packages on the container registry (GitHub documentation,
/// "Configuring a package's access control and visibility"). `new` in the last column: may create.
const ORGANIZATION: &str = "
who             public  internal  private  absent
nobody          read    -         -        -
stranger        read    read      -        -
site-admin      read    read      -        -
outside         write   read      -        -
member          read    read      -        new
reader          read    read      read     new
writer          write   write     write    new
admin           admin   admin     admin    new
team-reader     read    read      read     new
team-writer     write   write     write    new
team-admin      admin   admin     admin    new
repo-reader     read    read      read     -
repo-writer     write   write     write    -
repo-admin      admin   admin     admin    -
org-owner       admin   admin     admin    new
workflow        read    read      -        new
";

/// Roles on a person's packages. Members of organizations mean nothing here.
const PERSON: &str = "
who             public  internal  private  absent
nobody          read    -         -        -
stranger        read    read      -        -
reader          read    read      read     -
writer          write   write     write    -
admin           admin   admin     admin    -
person          admin   admin     admin    new
workflow        read    read      -        -
";

/// Roles on an organization's images in the legacy registry: those in the repository that they lie
/// in, whose visibility is theirs (GitHub documentation, "Working with the Docker registry").
const LEGACY: &str = "
who             public  internal  private  absent
nobody          -       -         -        -
stranger        read    read      -        -
site-admin      read    read      -        -
member          read    read      -        new
repo-reader     read    read      read     -
repo-writer     write   write     write    -
repo-admin      admin   admin     admin    -
org-owner       admin   admin     admin    new
";

/// Whose packages, and on which registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Realm {
    Organization,
    Person,
    Legacy,
}

impl Realm {
    const fn table(self) -> &'static str {
        match self {
            Self::Organization => ORGANIZATION,
            Self::Person => PERSON,
            Self::Legacy => LEGACY,
        }
    }

    /// Everybody in the table.
    pub(super) fn everybody(self) -> Vec<&'static str> {
        let rows = self.table().lines().skip(2);
        rows.filter_map(|row| row.split_whitespace().next())
            .collect()
    }

    fn cell(self, who: &str, column: usize) -> &'static str {
        let mut rows = self
            .table()
            .lines()
            .map(|row| row.split_whitespace().collect::<Vec<_>>());
        let row = rows.find(|row| row.first() == Some(&who));
        row.unwrap_or_else(|| panic!("{who} is not in the table"))[column]
    }

    pub(super) fn level(self, who: &str, target: Target) -> Level {
        let column = match target {
            Target::Public => 1,
            Target::Internal => 2,
            Target::Private => 3,
            Target::Absent | Target::Nobody => return Level::None,
        };
        match self.cell(who, column) {
            "read" => Level::Read,
            "write" => Level::Write,
            "admin" => Level::Admin,
            _ => Level::None,
        }
    }

    pub(super) fn creates(self, who: &str) -> bool {
        self.cell(who, 4) == "new"
    }
}

/// What a token may be used for at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scopes {
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) delete: bool,
    pub(super) repo: bool,
}

impl Scopes {
    pub(super) const ALL: Self = Self {
        read: true,
        write: true,
        delete: true,
        repo: true,
    };

    /// Deleting needs reading too; what is private on the legacy registry needs `repo` besides.
    fn suffice(self, realm: Realm, needs: Needs, target: Target) -> bool {
        let open = target == Target::Public;
        let enough = match needs {
            Needs::Read => self.read || (open && realm != Realm::Legacy),
            Needs::Push => self.write,
            Needs::Delete => self.read && self.delete,
        };
        let closed = realm == Realm::Legacy && !open;
        enough && (self.repo || !closed)
    }
}

/// How a credential is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Somebody.
    Good,
    /// A registry token that was given for pulling alone.
    PullOnly,
    /// There is none, or it is of no use and quietly dropped.
    Nobody,
    /// It is of no use, and whoever sends it is told.
    Refused,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) realm: Realm,
    pub(super) who: &'a str,
    pub(super) scopes: Scopes,
    pub(super) standing: Standing,
    pub(super) needs: Needs,
    pub(super) target: Target,
}

/// What must be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// What the route answers to those who may.
    Granted,
    /// What the route answers to those who create the package.
    Created,
    /// 401 with a challenge.
    WhoAreYou,
    /// 401 with a challenge for a better registry token.
    Narrow,
    /// 403: the token lacks a scope.
    Scopes,
    /// 403 with this permission.
    Denied(&'static str),
    /// What is answered for what is not there.
    Unknown,
}

pub(super) fn expected(question: Question<'_>) -> Expected {
    let Question {
        realm,
        who,
        scopes,
        standing,
        needs,
        target,
    } = question;
    match standing {
        Standing::Refused => return Expected::WhoAreYou,
        Standing::Nobody => {
            let level = realm.level("nobody", target);
            let served = level >= Level::Read && needs == Needs::Read;
            return if served {
                Expected::Granted
            } else {
                Expected::WhoAreYou
            };
        }
        Standing::Good | Standing::PullOnly => {}
    }
    let level = realm.level(who, target);
    let wanted = match needs {
        Needs::Read => Level::Read,
        Needs::Push => Level::Write,
        Needs::Delete => Level::Admin,
    };
    let creates = target == Target::Absent && needs == Needs::Push && realm.creates(who);
    let yes = if creates {
        Expected::Created
    } else {
        Expected::Granted
    };
    if !creates && level < wanted {
        return refused(realm, who, level, needs, target);
    }
    if !scopes.suffice(realm, needs, target) {
        return Expected::Scopes;
    }
    if standing == Standing::PullOnly && needs != Needs::Read {
        return Expected::Narrow;
    }
    yes
}

/// The refusal for want of a role, which says no more than the caller may know.
fn refused(realm: Realm, who: &str, level: Level, needs: Needs, target: Target) -> Expected {
    let knows = level >= Level::Read || matches!(target, Target::Public | Target::Internal);
    match (needs, knows) {
        (Needs::Push, true) => Expected::Denied("write_package"),
        (Needs::Delete, true) => Expected::Denied("delete_package"),
        // Whoever may create packages here learns that this name is taken.
        (Needs::Push, false) if target == Target::Private && realm.creates(who) => match realm {
            Realm::Legacy => Expected::Denied("create_package"),
            _ => Expected::Denied("write_package"),
        },
        (Needs::Push, false) => Expected::Denied("create_package"),
        _ => Expected::Unknown,
    }
}
