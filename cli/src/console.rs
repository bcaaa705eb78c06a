//! Asking the console.
pub(crate) mod status;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, Method, Response, StatusCode, Url};
use vedette_console::document::Status;
use vedette_service::chain;

use crate::home::{self, Home};
use crate::http::{self, Trust};
use crate::outcome::Failure;

/// Where the query API is.
pub(crate) const DEAD_LETTERS: &str = "/api/v1/dead-letters";
pub(crate) const COVERAGE: &str = "/api/v1/coverage";
pub(crate) const EVENTS: &str = "/api/v1/events";
pub(crate) const EXPORT: &str = "/api/v1/export";
pub(crate) const GROUPS: &str = "/api/v1/groups";
pub(crate) const HISTOGRAM: &str = "/api/v1/histogram";
pub(crate) const STATISTICS: &str = "/api/v1/statistics";
pub(crate) const TAIL: &str = "/api/v1/tail";
const STATUS: &str = "/api/v1/status";
/// Until a short answer must be there. The console's own limit is 30 s.
const TIMEOUT: Duration = Duration::from_secs(35);
/// Between two pieces of a long answer.
const STALLED: Duration = Duration::from_secs(60);

/// Which console is asked, and as whom.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ConsoleArgs {
    /// The console
    #[arg(long, env = "VEDETTE_URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// The console's token [default: that of `vedette up`]
    #[arg(long, env = "VEDETTE_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    token: Option<String>,
    /// A file with the token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Verify the console with these certificates (PEM) [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    home: Home,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Table,
    /// For programs
    Json,
}

/// A console.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    http: Client,
    url: Url,
    token: String,
}

impl ConsoleArgs {
    /// The console that is meant.
    pub(crate) fn console(&self) -> Result<Console, Failure> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => token.trim().to_owned(),
            (None, Some(file)) => home::read_token(file)?,
            (None, None) => {
                let file = self.home.token_file();
                home::read_token(&file).map_err(|failure| {
                    failure.help(
                        "give the console's token with --token or VEDETTE_TOKEN; `vedette up` keeps its own there",
                    )
                })?
            }
        };
        let trust = self.ca.as_deref().map_or(Trust::System, Trust::File);
        Console::new(self.url.clone(), token, http::client("vedette-cli", trust)?)
    }
}

impl Console {
    /// The console at `url`.
    pub(crate) fn new(url: Url, token: String, http: Client) -> Result<Self, Failure> {
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            let what = format!("`{url}` is no address of a console");
            return Err(Failure::usage(what).help("it looks like http://127.0.0.1:8080"));
        }
        Ok(Self { http, url, token })
    }

    /// How things are.
    pub(crate) async fn status(&self) -> Result<Status, Failure> {
        let text = self.status_text().await?;
        serde_json::from_str(&text).map_err(|error| self.strange().because(error))
    }

    /// The same, as the console wrote it.
    pub(crate) async fn status_text(&self) -> Result<String, Failure> {
        self.text(STATUS, &[]).await
    }

    /// A short answer.
    pub(crate) async fn text(&self, path: &str, query: &[(&'static str, String)]) -> Result<String, Failure> {
        let asking = async { self.get(path, query).await?.text().await.map_err(|error| self.broke_off(&error)) };
        tokio::time::timeout(TIMEOUT, asking).await.map_err(|_| self.late())?
    }

    /// The lines of a long answer.
    pub(crate) async fn lines(&self, path: &str, query: &[(&'static str, String)]) -> Result<Lines<'_>, Failure> {
        let response = tokio::time::timeout(TIMEOUT, self.get(path, query)).await.map_err(|_| self.late())??;
        Ok(Lines { console: self, response, held: Vec::new(), ended: false })
    }

    /// Asks for one thing, or changes it. That it is not there, or can't be changed, comes back in the console's words.
    pub(crate) async fn one(&self, method: Method, path: &str) -> Result<Result<String, String>, Failure> {
        let asking = async {
            let response = self.send(method, path, &[]).await?;
            let status = response.status();
            let text = response.text().await.map_err(|error| self.broke_off(&error))?;
            match (status.is_success(), said(&text)) {
                (true, _) => Ok(Ok(text)),
                (false, Some(said)) if matches!(status, StatusCode::NOT_FOUND | StatusCode::CONFLICT) => Ok(Err(said)),
                (false, _) => Err(self.refused(status, &text)),
            }
        };
        tokio::time::timeout(TIMEOUT, asking).await.map_err(|_| self.late())?
    }

    /// The answer's first line and headers; a refusal becomes a failure that says what to do.
    async fn get(&self, path: &str, query: &[(&'static str, String)]) -> Result<Response, Failure> {
        let response = self.send(Method::GET, path, query).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(self.refused(status, &response.text().await.unwrap_or_default()))
    }

    async fn send(&self, method: Method, path: &str, query: &[(&'static str, String)]) -> Result<Response, Failure> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        let request = self.http.request(method, url).query(query).header(AUTHORIZATION, home::bearer(&self.token)?);
        request.send().await.map_err(|error| {
            let what = format!("the console does not answer at {}", self.url);
            let help = "start it with `vedette up`, or name another with --url or VEDETTE_URL";
            Failure::usage(what).because(chain(&error).to_string()).help(help)
        })
    }

    fn refused(&self, status: StatusCode, text: &str) -> Failure {
        let said = said(text).unwrap_or_else(|| text.chars().take(300).collect());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::usage(format!("the console at {} does not take this token", self.url))
                    .help("its token is in its tokenFile; `vedette up` keeps it in .vedette/token")
            }
            StatusCode::BAD_REQUEST => Failure::usage(format!("the console can't answer that: {said}")),
            StatusCode::NOT_FOUND => Failure::usage(format!("there is no Vedette console at {}", self.url))
                .help("name the right one with --url or VEDETTE_URL"),
            _ => Failure::failed(format!("the console answered {status}: {said}")),
        }
    }

    fn broke_off(&self, error: &reqwest::Error) -> Failure {
        Failure::failed(format!("the answer of {} broke off", self.url)).because(chain(error).to_string())
    }

    fn late(&self) -> Failure {
        Failure::failed(format!("the console at {} took too long", self.url)).help("ask for less time")
    }

    /// An answer that no console gives.
    pub(crate) fn strange(&self) -> Failure {
        Failure::failed(format!("{} gave an answer that can't be read", self.url))
            .help("is it a Vedette console of this version?")
    }
}

/// The message of a console's refusal.
fn said(text: &str) -> Option<String> {
    let problem = serde_json::from_str::<serde_json::Value>(text).ok()?;
    problem.get("message")?.as_str().map(str::to_owned)
}

/// The lines of a long answer, as they come.
pub(crate) struct Lines<'a> {
    console: &'a Console,
    response: Response,
    held: Vec<u8>,
    ended: bool,
}

impl Lines<'_> {
    /// The next line; none after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut looked = 0;
        loop {
            let fresh = self.held.get(looked..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|&byte| byte == b'\n') {
                let rest = self.held.split_off(looked + end + 1);
                let mut line = std::mem::replace(&mut self.held, rest);
                line.pop();
                return Ok(Some(line));
            }
            if self.ended {
                return Ok((!self.held.is_empty()).then(|| std::mem::take(&mut self.held)));
            }
            looked = self.held.len();
            let chunk = tokio::time::timeout(STALLED, self.response.chunk()).await.map_err(|_| self.console.late())?;
            match chunk.map_err(|error| self.console.broke_off(&error))? {
                Some(chunk) => self.held.extend_from_slice(&chunk),
                None => self.ended = true,
            }
        }
    }
}
