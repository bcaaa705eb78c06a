//! The members that we know, by either spelling.
//!
//! The spellings of a kube-apiserver and of KubeSphere differ in case alone, and Go reads both without regard to case:
//! so does this. What we write ourselves is KubeSphere's spelling.

/// Declares an enum of members with their canonical names, and their lookup without regard to case.
macro_rules! members {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $canonical:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant,)* }

        impl Member for $name {
            const NAMES: &'static [&'static str] = &[$($canonical,)*];

            #[inline]
            fn find(name: &[u8]) -> Option<Self> {
                $(if name.eq_ignore_ascii_case($canonical.as_bytes()) {
                    return Some(Self::$variant);
                })*
                None
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

/// A closed set of members of one object.
pub(crate) trait Member: Copy {
    /// The names that we write, in the order in which we write them.
    const NAMES: &'static [&'static str];

    /// The member of this name.
    fn find(name: &[u8]) -> Option<Self>;

    /// Its place in [`Self::NAMES`].
    fn index(self) -> usize;
}

members! {
    /// The members of an event.
    Top {
        Workspace = "Workspace",
        Devops = "Devops",
        Cluster = "Cluster",
        Message = "Message",
        Level = "Level",
        AuditId = "AuditID",
        Stage = "Stage",
        RequestUri = "RequestURI",
        Verb = "Verb",
        User = "User",
        ImpersonatedUser = "ImpersonatedUser",
        SourceIps = "SourceIPs",
        UserAgent = "UserAgent",
        ObjectRef = "ObjectRef",
        ResponseStatus = "ResponseStatus",
        RequestObject = "RequestObject",
        ResponseObject = "ResponseObject",
        RequestReceivedTimestamp = "RequestReceivedTimestamp",
        StageTimestamp = "StageTimestamp",
        Annotations = "Annotations",
        // Ours.
        Vedette = "Vedette",
    }
}

members! {
    /// The members of `User` and `ImpersonatedUser`.
    UserMember {
        Username = "Username",
        Uid = "UID",
        Groups = "Groups",
        Extra = "Extra",
    }
}

members! {
    /// The members of `ObjectRef`.
    ObjectMember {
        Resource = "Resource",
        Namespace = "Namespace",
        Name = "Name",
        Uid = "UID",
        ApiGroup = "APIGroup",
        ApiVersion = "APIVersion",
        ResourceVersion = "ResourceVersion",
        Subresource = "Subresource",
    }
}

members! {
    /// The members of `ResponseStatus` that we read. Both senders write them in lower case.
    StatusMember {
        Metadata = "metadata",
        Status = "status",
        Message = "message",
        Reason = "reason",
        Details = "details",
        Code = "code",
    }
}

members! {
    /// The member of `Vedette` that an event on its way holds. A stored document's are others, written as they are made.
    OwnMember {
        NamespaceUid = "NamespaceUID",
    }
}
