//! Whose reading of the conditions is meant.
use clap::{Args, ValueEnum};
use vedette_rules::Dialect;

/// The flag that all commands on rules share.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Compat {
    /// Read and decide conditions exactly as this system does; a `Rule` asks for it by itself with the annotation
    /// `auditing.vedette.io/compat: kubesphere`
    #[arg(long, value_name = "SYSTEM", value_enum)]
    compat: Option<System>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum System {
    Kubesphere,
}

impl Compat {
    /// The dialect of a `Rule` that says nothing of it.
    pub(crate) fn dialect(self) -> Dialect {
        match self.compat {
            Some(System::Kubesphere) => Dialect::KubeSphere,
            None => Dialect::Vedette,
        }
    }
}
