//! `vedette rules explain`: why a rule holds for an event or does not.
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use vedette_audit::list::{Cutter, Limits};
use vedette_audit::{Event, Level};
use vedette_rules::{Answer, ExplainError, Explainer};

use super::compat::Compat;
use super::files;
use crate::outcome::{Failure, Outcome};
use crate::term;
use crate::values::{self, MAX_VALUE_BYTES};

/// Show why a rule holds for an event or does not, part by part
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette rules explain deploy/rules AttachOrExecPod --event event.json
  vedette rules explain my-rule.yaml my-rule.shell --event audit.log --index 41
  kubectl get … | vedette rules explain deploy/rules alerting-rule.ResourceChange --event -

Signs: ✓ holds, ✗ does not, ? the event's level left out what would decide it.")]
pub(crate) struct Explain {
    /// A file or folder with `Rule` resources
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The rule: `name`, `resource.name` or `namespace/resource/name`
    #[arg(value_name = "RULE")]
    rule: String,
    /// Events or EventLists, JSON values separated by any white space; gzip too; `-` is standard input
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// Which of the events, from 1
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    index: usize,
    /// What events may hold when the rules see them: None, Metadata, Request or RequestResponse
    #[arg(long, value_name = "LEVEL", default_value = "RequestResponse")]
    audit_level: Level,
    #[command(flatten)]
    compat: Compat,
}

impl Explain {
    /// Explains the rule.
    pub(crate) fn run(self) -> Outcome {
        let sources = files::read(std::slice::from_ref(&self.file))?;
        let explainer = Explainer::new(&sources, &self.rule, |settings| {
            settings.audit_level = self.audit_level;
            settings.dialect = self.compat.dialect();
        });
        let explainer = match explainer {
            Ok(explainer) => explainer,
            Err(ExplainError::Broken(diagnostics)) => {
                files::print(&sources, &diagnostics);
                return Ok(ExitCode::FAILURE);
            }
            Err(ExplainError::Unknown(near)) => {
                let failure = Failure::usage(format!("no rule is called `{}`", self.rule));
                return Err(match near.as_slice() {
                    [] => failure.help("there is no rule in these files"),
                    [near] => failure.help(format!("did you mean `{near}`?")),
                    names => failure.help(format!("the rules are `{}`", names.join("`, `"))),
                });
            }
            Err(ExplainError::Ambiguous(names)) => {
                let failure = Failure::usage(format!("several rules are called `{}`", self.rule));
                return Err(failure.help(format!("name one of `{}`", names.join("`, `"))));
            }
        };
        let bytes = event(&self.event, self.index)?;
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            Failure::failed(format!("event {} of `{}` is none", self.index, self.event.display())).because(source)
        };
        let event = Event::parse(&bytes).map_err(|error| failed(error.into()))?;
        let mut stripped = Vec::new();
        event.rewrite(self.audit_level, "default", &mut stripped);
        let explanation = explainer.explain(&stripped).map_err(|error| failed(error.into()))?;
        let verdict = match &explanation.answer {
            Answer::Holds => "holds",
            Answer::Fails => "does not hold",
            Answer::Unknown(_) => "cannot be decided",
        };
        let disabled = if explainer.enabled { "" } else { ", and is disabled" };
        let (id, stage) = (term::plain(&event.audit_id()), term::plain(&event.stage()));
        let text = format!("{} {verdict} for the event {id} ({stage}){disabled}\n{explanation}", explainer.rule);
        term::write(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The event at `index`, from 1, of all the lists and single events of a file.
fn event(path: &Path, index: usize) -> Result<Vec<u8>, Failure> {
    let failed = |source: std::io::Error| Failure::usage(format!("can't read `{}`", path.display())).because(source);
    let values = values::open(path).map_err(failed)?;
    let mut seen = 0;
    for value in values {
        let value = value.map_err(|error| {
            Failure::failed(format!("`{}` holds no JSON at line {}", path.display(), error.line())).because(error)
        })?;
        let mut items: Vec<Vec<u8>> = Vec::new();
        let mut cutter = Cutter::new(Limits { item_bytes: MAX_VALUE_BYTES, member_bytes: MAX_VALUE_BYTES });
        let cut = cutter.push(&value.bytes, &mut |item| items.push(item.bytes.to_vec()));
        // What is no list is one event.
        if cut.and_then(|()| cutter.finish()).is_err() && items.is_empty() {
            items.push(value.bytes);
        }
        if let Some(item) = index.checked_sub(seen + 1).and_then(|place| items.get(place)) {
            return Ok(item.clone());
        }
        seen += items.len();
    }
    let failure = Failure::usage(format!("there is no event {index} in `{}`", path.display()));
    Err(failure.help(format!("it holds {seen}, counted from 1")))
}
