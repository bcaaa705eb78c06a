//! Tokens of a real OpenID Connect provider, and those that only look like its.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Client;
use serde_json::{Value, json};
use vedette_archive::Mode;
use vedette_console::{Administrators, AuthConfig, Config, OidcConfig, TenancyConfig};
use vedette_e2e::process::Plan;
use vedette_e2e::{Process, http, ports, tools};

use super::rig::{Rig, TOKEN};

const STATUS: &str = "/api/v1/status";
/// Longer than what the clock may be wrong, and than the pause between two looks at the provider's keys.
const LATER: Duration = Duration::from_secs(13);

/// A provider on a port that calls itself `issuer`, with keys of its own.
pub(crate) struct Provider {
    port: u16,
    pub(crate) issuer: String,
    _process: Process,
}

impl Provider {
    fn start(port: u16, issuer: &str, folder: &std::path::Path) -> Self {
        Self::start_for(port, issuer, folder, None)
    }

    /// The same, where people sign in from the pages of a console at this URL, and get their tokens at this port.
    pub(crate) fn start_for(port: u16, issuer: &str, folder: &std::path::Path, pages: Option<(&str, u16)>) -> Self {
        let module = tools::cache().join("oidc/node_modules/oidc-provider/lib/index.js");
        assert!(module.is_file(), "no oidc-provider at {}: run `scripts/tools.sh oidc`", module.display());
        let script = tools::repository("console/tests/oidc/provider.mjs");
        let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let args = [path(&script), path(&module), port.to_string(), issuer.to_owned()];
        let of_pages = |(console, tokens): (&str, u16)| [console.to_owned(), "600".to_owned(), tokens.to_string()];
        let args = args.into_iter().chain(pages.map(of_pages).into_iter().flatten());
        let node = tools::system("node", "nodejs");
        let mut process =
            Plan::new("oidc-provider", node, folder.join(format!("provider-{port}.log"))).args(args).start();
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        process.wait_ready(Duration::from_secs(60), || {
            http::get(address, "/.well-known/openid-configuration").is_some_and(|(code, _)| code == 200)
        });
        Self { port, issuer: issuer.to_owned(), _process: process }
    }

    /// A token for a client, signed so, for so long, for this audience.
    async fn token(&self, client: &str, algorithm: &str, seconds: u64, audience: &str) -> String {
        let resource = format!("urn:token:{algorithm}:{seconds}:{audience}");
        let answer = Client::new()
            .post(format!("http://127.0.0.1:{}/token", self.port))
            .basic_auth(client, Some("secret"))
            .form(&[("grant_type", "client_credentials"), ("resource", &resource)])
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{} gives {answer}", self.issuer)).to_owned()
    }
}

/// The parts of a token, changed and put together again.
fn changed(token: &str, change: impl FnOnce(&mut Value, &mut Value, &mut String)) -> String {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (mut header, mut claims, mut signature) = (read(header), read(claims), signature.to_owned());
    change(&mut header, &mut claims, &mut signature);
    let write = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.{signature}", write(&header), write(&claims))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_tokens_are_accepted_and_no_others() {
    vedette_service::tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let (port, other_port) = (ports::free(), ports::free());
    let issuer = format!("http://127.0.0.1:{port}");
    let provider = Provider::start(port, &issuer, folder.path());
    let impostor = Provider::start(other_port, &issuer, folder.path());

    let archive = vedette_archive::Config::embedded(folder.path().join("archive"));
    let archive = vedette_archive::open(&archive, Mode::Write).await.unwrap();
    let oidc = json!({"issuer": issuer, "clientId": "vedette", "groupsClaim": "groups"});
    let oidc: OidcConfig = serde_json::from_value(oidc).unwrap();
    let groups = vec!["auditors".to_owned(), "system:masters".to_owned()];
    let config = Config {
        token: Some(TOKEN.into()),
        auth: AuthConfig { oidc: Some(oidc), ..AuthConfig::default() },
        tenancy: TenancyConfig { administrators: Administrators { groups }, ..TenancyConfig::default() },
        ..Config::default()
    };
    let rig = Rig::start_with(archive, config, Client::new()).await;
    let check = async |what: &str, token: &str, expected: u16| {
        let answer = rig.client.get(rig.url(STATUS)).bearer_auth(token).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, expected, "{what}: {text}");
    };

    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let token = provider.token("auditor", algorithm, 600, "vedette").await;
        check(algorithm, &token, 200).await;
        let (head, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { "B" } else { "A" };
        check("a changed signature", &format!("{head}.{first}{}", &signature[1..]), 401).await;
    }
    let token = provider.token("auditor", "ES256", 600, "vedette").await;
    let me = rig.client.get(rig.url("/api/v1/me")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(me.json::<Value>().await.unwrap()["via"], "oidc");
    check("another group", &provider.token("developer", "ES256", 600, "vedette").await, 403).await;
    check("Kubernetes' own group", &provider.token("master", "ES256", 600, "vedette").await, 403).await;
    check("another audience", &provider.token("auditor", "ES256", 600, "others").await, 401).await;
    check("another provider's key", &impostor.token("auditor", "ES256", 600, "vedette").await, 401).await;
    check("the console's own token", TOKEN, 200).await;
    check("no token of a provider", "opaque", 401).await;
    let developer = provider.token("developer", "RS256", 600, "vedette").await;
    let more = |_: &mut Value, claims: &mut Value, _: &mut String| claims["groups"] = json!(["auditors"]);
    check("other claims", &changed(&developer, more), 401).await;
    let longer = |_: &mut Value, claims: &mut Value, _: &mut String| claims["exp"] = json!(9_999_999_999_u64);
    check("a longer life", &changed(&token, longer), 401).await;
    for algorithm in ["none", "None", "HS256", "HS512", "RS256"] {
        let renamed = |header: &mut Value, _: &mut Value, _: &mut String| header["alg"] = json!(algorithm);
        check(algorithm, &changed(&token, renamed), 401).await;
        let unsigned = |header: &mut Value, _: &mut Value, signature: &mut String| {
            header["alg"] = json!(algorithm);
            signature.clear();
        };
        check(algorithm, &changed(&token, unsigned), 401).await;
    }
    let keyless = |header: &mut Value, _: &mut Value, _: &mut String| header["kid"] = json!("../../etc/passwd");
    check("a key that nobody has", &changed(&token, keyless), 401).await;

    let short = provider.token("auditor", "ES256", 1, "vedette").await;
    check("not over yet", &short, 200).await;
    // The provider starts again with other keys: its new tokens are good as soon as it may be asked again.
    drop((provider, impostor));
    tokio::time::sleep(LATER).await;
    check("over", &short, 401).await;
    check("signed by a provider that is away now", &token, 200).await;
    let provider = Provider::start(port, &issuer, folder.path());
    let renewed = provider.token("auditor", "ES256", 600, "vedette").await;
    check("new keys", &renewed, 200).await;
    check("keys that were taken back", &token, 401).await;
    drop(provider);
    rig.stop().await;
}
