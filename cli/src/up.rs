//! `vedette up`: a real nats-server and every service in one process, on a sample of real events.
//!
//! It wires and tells; what it wires is what runs in production, apart from sharing a process and an embedded archive. What
//! happens to it (a signal, a service that ends, a nats-server that cannot be kept alive) ends everything in the same order:
//! services first, finishing what they have in hand, then nats-server.
mod folder;
mod log;
mod nats;
mod ports;
mod sample;
mod services;
mod tour;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use jiff::Timestamp;
use reqwest::Url;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::console::Console;
use crate::home::{self, Home};
use crate::http::{self, Trust};
use crate::outcome::{Failure, Outcome};
use crate::replay::{Retry, Sender, webhook};
use crate::{progress, term};

use folder::Folder;
use log::{Shown, Terminal};
use nats::Nats;
use sample::Sample;
use services::{Running, Services, Wiring};

/// Rules that are shipped, and the demo's settings.
const RULES: [&str; 2] = ["deploy/rules", "deploy/demo"];
/// Days that the sample's archive is kept: it is laid up to eight days back.
const RETENTION_DAYS: u32 = 9;
/// Lists of the sample under way at once.
const CONCURRENT: usize = 4;
/// Records among which alerting requests are counted for the summary.
const COUNTED: u64 = 100_000;

/// Start everything in this process on sample data, and leave it running
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette up
  vedette up --no-sample --rules my-rules/
  vedette up --data-dir /tmp/try --webhook-listen 127.0.0.1:9443 --console-listen 127.0.0.1:9080
  vedette up --elasticsearch http://127.0.0.1:9200 --alertmanager http://127.0.0.1:9093

Rules and settings are watched: save a file and it is in force. Ctrl-C stops everything; data stays in the data folder,
and the next start finds it. The log is vedette.log there; RUST_LOG says what it holds.
Exit code: 0 stopped by a signal, 1 something failed, 2 wrong arguments, rules or settings.")]
pub(crate) struct UpCommand {
    #[command(flatten)]
    home: Home,
    /// Directories or files of `Rule` and `Webhook` resources [default: deploy/rules and deploy/demo]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Vec<PathBuf>,
    /// Store in Elasticsearch instead of the embedded archive
    #[arg(long, value_name = "URL", env = "VEDETTE_ELASTICSEARCH", conflicts_with = "opensearch")]
    elasticsearch: Option<Url>,
    /// Store in OpenSearch instead of the embedded archive
    #[arg(long, value_name = "URL", env = "VEDETTE_OPENSEARCH")]
    opensearch: Option<Url>,
    /// Send alerts to this Alertmanager, besides the receivers of the `Webhook`
    #[arg(long, value_name = "URL", env = "VEDETTE_ALERTMANAGER")]
    alertmanager: Option<Url>,
    /// Do not send the sample
    #[arg(long)]
    no_sample: bool,
    /// Send this file instead of the bundled sample, moved in time likewise
    #[arg(long, value_name = "FILE", conflicts_with = "no_sample")]
    sample: Option<PathBuf>,
    /// Days that records are kept; 0 keeps them for ever
    #[arg(long, value_name = "DAYS", default_value_t = RETENTION_DAYS)]
    retention_days: u32,
    /// Where the audit webhook listens (HTTPS)
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    webhook_listen: SocketAddr,
    /// The bearer token of a cluster's sender, in a file; with one, every sender needs one
    #[arg(long, value_name = "CLUSTER=FILE", value_parser = cluster_file)]
    webhook_token_file: Vec<(String, PathBuf)>,
    /// Where the console listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    console_listen: SocketAddr,
    /// Where rules are managed over gRPC, as by `vedette rules apply`: loopback only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9444", value_parser = loopback)]
    operator_listen: SocketAddr,
    /// Serve /healthz, /readyz and /metrics here
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
}

/// There is no TLS and no token there.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "expected ADDRESS:PORT".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err(format!("{address} is not loopback")) }
}

fn cluster_file(text: &str) -> Result<(String, PathBuf), String> {
    let (cluster, file) = text.split_once('=').ok_or("expected CLUSTER=FILE")?;
    webhook::check_cluster(cluster).map_err(|failure| failure.render(false))?;
    Ok((cluster.to_owned(), PathBuf::from(file)))
}

impl UpCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> Outcome {
        let runtime = crate::runtime()?;
        let outcome = runtime.block_on(self.attend());
        // A blocking task that hangs must not keep the process.
        runtime.shutdown_timeout(Duration::from_secs(2));
        outcome
    }

    async fn attend(self) -> Outcome {
        // What can be known to be wrong is said before anything is started.
        let rules = self.rules()?;
        if let Some(file) = self.sample.as_ref().filter(|file| !file.is_file()) {
            return Err(Failure::usage(format!("--sample names `{}`, which is no file", file.display())));
        }
        let mut signals = Signals::new()?;
        let folder = Folder::lock(&self.home.data_dir)?;
        let terminal = log::init(&folder.join("vedette.log"))
            .map_err(|error| Failure::failed("can't write the log into the data folder").because(error))?;
        let webhook = ports::hold(self.webhook_listen, "webhook", "--webhook-listen")?;
        let console = ports::hold(self.console_listen, "console", "--console-listen")?;
        let console_address = console.local_addr().unwrap_or(self.console_listen);

        let waiting = progress::waiting("starting nats-server");
        let nats_folder = folder.join("nats");
        let mut nats = tokio::select! {
            started = Nats::start(&nats_folder) => started?,
            _ = signals.next() => return Ok(ExitCode::SUCCESS),
        };
        waiting.set_message("starting the services");
        // Ingest opens it itself; until here it was held, so that nobody else is told that it is free.
        drop(webhook);
        let started = tokio::select! {
            started = self.start(&folder, &nats, rules, console) => started,
            _ = signals.next() => { nats.stop().await; return Ok(ExitCode::SUCCESS) }
        };
        let (services, mut running) = match started {
            Ok(services) => services,
            Err(failure) => {
                waiting.finish_and_clear();
                nats.stop().await;
                return Err(failure);
            }
        };
        let ready = services.ready();
        let tour = Tour {
            command: &self,
            folder: &folder,
            terminal: &terminal,
            webhook: local(services.webhook()),
            console: local(console_address),
        };
        let telling = async {
            ready.await?;
            waiting.finish_and_clear();
            tour.tell(&services).await
        };
        let first = tokio::select! {
            told = telling => told.map_err(Err).err(),
            failure = running.ended() => Some(Err(failure)),
            failure = nats.attend() => Some(Err(failure)),
            _ = signals.next() => Some(Ok(())),
        };
        let ended = match first {
            Some(ended) => ended,
            None => tokio::select! {
                failure = running.ended() => Err(failure),
                failure = nats.attend() => Err(failure),
                _ = signals.next() => Ok(()),
            },
        };
        waiting.finish_and_clear();
        terminal.show(Shown::Nothing);
        self.stop((services, running), nats, &mut signals, &ended).await;
        ended.map(|()| ExitCode::SUCCESS)
    }

    async fn start(
        &self,
        folder: &Folder,
        nats: &Nats,
        rules: Vec<PathBuf>,
        console: std::net::TcpListener,
    ) -> Result<(Services, Running), Failure> {
        let address = console.local_addr().unwrap_or(self.console_listen);
        let wiring = Wiring {
            nats_url: nats.url(),
            nats_monitor: nats.monitor_url(),
            rules,
            archive: self.archive(folder),
            receivers: self.receivers(),
            webhook: self.webhook_listen,
            sender_tokens: self.sender_tokens(folder)?,
            console,
            console_url: format!("http://{}", local(address)),
            operator: self.operator_listen,
            admin: self.admin_listen,
        };
        Services::start(folder, wiring).await
    }

    fn rules(&self) -> Result<Vec<PathBuf>, Failure> {
        let rules = if self.rules.is_empty() { RULES.iter().map(PathBuf::from).collect() } else { self.rules.clone() };
        match rules.iter().find(|path| !path.exists()) {
            None => Ok(rules),
            Some(missing) if self.rules.is_empty() => {
                let what = format!("the shipped rules are not here: there is no `{}`", missing.display());
                Err(Failure::usage(what).help("run this in the repository, or name your own with --rules"))
            }
            Some(missing) => Err(Failure::usage(format!("--rules names `{}`, which is not there", missing.display()))),
        }
    }

    fn archive(&self, folder: &Folder) -> vedette_archive::Config {
        let config = match self.elasticsearch.as_ref().or(self.opensearch.as_ref()) {
            Some(url) => vedette_archive::Config::search(url.as_str().trim_end_matches('/')),
            None => vedette_archive::Config::embedded(folder.join("archive")),
        };
        vedette_archive::Config { retention_days: self.retention_days, ..config }
    }

    /// For people.
    fn archive_name(&self) -> String {
        match (&self.elasticsearch, &self.opensearch) {
            (Some(url), _) => format!("Elasticsearch at {url}"),
            (None, Some(url)) => format!("OpenSearch at {url}"),
            (None, None) => "the embedded archive".to_owned(),
        }
    }

    fn receivers(&self) -> Vec<vedette_rules::Receiver> {
        let receiver = |url: &Url| vedette_rules::Receiver {
            name: "alertmanager-of-vedette-up".to_owned(),
            kind: vedette_rules::ReceiverKind::Alertmanager,
            url: url.to_string(),
            ca_bundle: None,
        };
        self.alertmanager.iter().map(receiver).collect()
    }

    /// With any token configured, the sample needs one too.
    fn sender_tokens(&self, folder: &Folder) -> Result<BTreeMap<String, PathBuf>, Failure> {
        let mut files: BTreeMap<String, PathBuf> = self.webhook_token_file.iter().cloned().collect();
        if !files.is_empty() && !files.contains_key(CLUSTER) {
            let file = folder.join("sample-token");
            vedette_console::make_token(&file).map_err(|error| {
                Failure::failed(format!("can't make a token in `{}`", file.display())).because(error)
            })?;
            files.insert(CLUSTER.to_owned(), file);
        }
        Ok(files)
    }

    async fn stop(
        &self,
        services: (Services, Running),
        nats: Nats,
        signals: &mut Signals,
        ended: &Result<(), Failure>,
    ) {
        if ended.is_ok() {
            eprintln!("\n stopping: services, then nats-server");
        }
        let stopping = async {
            services.0.stop(services.1).await;
            nats.stop().await;
        };
        tokio::select! {
            () = stopping => {
                if ended.is_ok() {
                    eprintln!(" stopped; data stays in {}", self.home.data_dir.display());
                }
            }
            // Dropping nats-server kills it.
            _ = signals.next() => eprintln!(" stopping at once"),
        }
    }
}

/// The cluster of the path that names none.
const CLUSTER: &str = "default";

/// What is told once everything runs.
struct Tour<'a> {
    command: &'a UpCommand,
    folder: &'a Folder,
    terminal: &'a Terminal,
    webhook: SocketAddr,
    console: SocketAddr,
}

impl Tour<'_> {
    async fn tell(&self, services: &Services) -> Result<(), Failure> {
        let policy = services.policy().current();
        say(&tour::started(&policy, services.policy_is_old()));
        self.terminal.show(Shown::Errors);
        let console = self.console()?;
        let since = if self.command.no_sample { None } else { Some(self.sample().await?) };
        let status = {
            let bar = progress::waiting("reading the books");
            let settled = tour::settle(&console, |status| {
                bar.set_message(format!("{} events applied", term::thousands(status.books.total.archive.evaluated)));
            })
            .await;
            bar.finish_and_clear();
            settled?
        };
        say(&tour::books(&status, term::stdout_color()));
        let requests = match since {
            None => None,
            // An archive that can't be asked now is no reason to end.
            Some(since) => tour::alerting_requests(&console, &policy, since, COUNTED).await.unwrap_or_else(|failure| {
                tracing::warn!(error = failure.render(false), "could not count the alerting requests");
                None
            }),
        };
        say(&tour::alerts(&status, requests, policy.settings.receivers.len()));
        self.farewell(&policy);
        self.terminal.show(Shown::Warnings);
        Ok(())
    }

    /// Sends what is due of the sample. Returns since when its events lie.
    async fn sample(&self) -> Result<Timestamp, Failure> {
        let archive = self.command.archive_name();
        let (folder, file) = (self.folder.join("sample"), self.command.sample.clone());
        let opening = {
            let archive = archive.clone();
            move || {
                let sample = Sample::open(&folder, file.as_deref(), &archive, Timestamp::now())?;
                let due = sample.due()?;
                Ok::<_, Failure>((sample, due))
            }
        };
        let waiting = progress::waiting("reading the sample");
        // Unpacking and reading it keeps a core busy for a moment.
        let opened = tokio::task::spawn_blocking(opening).await;
        waiting.finish_and_clear();
        let (sample, due) = opened.map_err(|error| Failure::failed("the sample can't be read").because(error))??;
        let since = sample.since();
        if due.is_empty() {
            let elsewhere = match sample.archive() == archive {
                true => String::new(),
                false => format!("; they went to {}, a new --data-dir sends them to {archive}", sample.archive()),
            };
            let anchor = sample.anchor().strftime("%Y-%m-%d %H:%M UTC");
            let events = term::thousands(sample.events());
            say(&format!(" 5/5 sample   {events} events, here since the start of {anchor}{elsewhere}"));
            return Ok(since);
        }
        let rest: u64 = due.iter().map(|list| list.events).sum();
        match sample.begun() {
            false => say(&tour::sending(sample.events(), sample.incidents())),
            true => say(&format!(
                " 5/5 sample   the remaining {} of {} events over HTTPS: an earlier start was interrupted",
                term::thousands(rest),
                term::thousands(sample.events())
            )),
        }
        let mut notes = sample.notes().map_err(|error| Failure::failed("can't note what was sent").because(error))?;
        let sender = self.sender()?;
        let bar = progress::events(Some(rest));
        let sending = due.into_iter().map(|list| {
            let sender = sender.clone();
            async move { (list.index, list.events, sender.send(list.body).await) }
        });
        let mut sending = futures::stream::iter(sending).buffer_unordered(CONCURRENT);
        while let Some((index, events, delivery)) = sending.next().await {
            if let Err(refusal) = delivery.result {
                let status = refusal.status.map(|status| format!("{status}: ")).unwrap_or_default();
                return Err(Failure::failed(format!(
                    "the webhook did not take the sample: {status}{}",
                    refusal.detail
                )));
            }
            notes.taken(index).map_err(|error| Failure::failed("can't note what was sent").because(error))?;
            bar.inc(events);
        }
        bar.finish_and_clear();
        Ok(since)
    }

    fn sender(&self) -> Result<Sender, Failure> {
        let ca = self.command.home.webhook_ca();
        let url = format!("https://{}{}", self.webhook, webhook::PATH);
        let url = url.parse().map_err(|error| Failure::failed("the webhook has no address").because(error))?;
        let tokens = self.command.sender_tokens(self.folder)?;
        let token = tokens.get(CLUSTER).map(|file| home::read_token(file)).transpose()?;
        let authorization = token.map(|token| home::bearer(token.lines().next().unwrap_or_default())).transpose()?;
        let retry = Retry { attempts: 5, backoff: Duration::from_secs(1) };
        Ok(Sender::new(http::client("vedette-up", Trust::File(&ca))?, url, authorization, retry))
    }

    fn console(&self) -> Result<Console, Failure> {
        let url = format!("http://{}", self.console);
        let url = url.parse().map_err(|error| Failure::failed("the console has no address").because(error))?;
        let token = home::read_token(&self.command.home.token_file())?;
        Console::new(url, token, http::client("vedette-up", Trust::System)?)
    }

    /// Where the pages are, for somebody who is signed in by it: behind `#`, the token goes to no server and into no log.
    fn login(&self) -> String {
        let plain = format!("http://{}/", self.console);
        let (Ok(mut url), Ok(token)) = (plain.parse::<Url>(), home::read_token(&self.command.home.token_file())) else {
            return plain;
        };
        let login = url.query_pairs_mut().append_pair("login", token.trim()).finish().query().map(str::to_owned);
        url.set_query(None);
        url.set_fragment(login.as_deref());
        url.to_string()
    }

    fn farewell(&self, policy: &vedette_rules::Policy) {
        let data = self.command.home.data_dir.display();
        let settings = &policy.settings;
        let switch = if settings.k8s_auditing_enabled { "on" } else { "off" };
        let vedette = own_name();
        let mut flags = String::new();
        if self.command.home.data_dir != Path::new(".vedette") {
            flags.push_str(&format!(" --data-dir {data}"));
        }
        let console_flag = match self.console.port() {
            8080 => String::new(),
            _ => format!(" --url http://{}", self.console),
        };
        let server_flag = match self.webhook.port() {
            8443 => String::new(),
            _ => format!(" --server https://{}", self.webhook),
        };
        say(&format!(" console   {}", self.login()));
        say(&format!(" webhook   https://{}{}", self.webhook, webhook::PATH));
        say(&format!(" demo settings: k8sAuditingEnabled {switch}, level {}", settings.audit_level));
        say(&format!(" next      {vedette} query 'sub:exec last:12h'{console_flag}{flags}"));
        say(&format!("           {vedette} status{console_flag}{flags}"));
        say(&format!("           {vedette} webhook-config --cluster mine{server_flag}{flags}      your own apiserver"));
        say(&format!(" Ctrl-C stops; data stays in {data}"));
    }
}

/// One line of the summary. That nobody reads it any more is no reason to end.
fn say(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// How this program is called: by its name where that finds it, else by its path from here.
fn own_name() -> String {
    let Ok(own) = std::env::current_exe() else { return "vedette".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("vedette")).find(|file| file.is_file());
    if found.and_then(|found| found.canonicalize().ok()) == own.canonicalize().ok() {
        return "vedette".to_owned();
    }
    let here = std::env::current_dir().unwrap_or_default();
    own.strip_prefix(&here).unwrap_or(&own).display().to_string()
}

/// How to reach an address that may mean all of this machine's.
fn local(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
    }
}

/// What asks this program to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::failed("can't listen for signals").because(error));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
