"""Objects and paths of the API, as short as the incidents need them."""

RBAC = "rbac.authorization.k8s.io"


def meta(name, namespace=None, **more):
    return {"name": name, **({"namespace": namespace} if namespace else {}), **more}


def pod(name, namespace, app, image="registry.example.test/payments/api:4.7.1", **spec):
    container = {"name": app, "image": image, **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta(name, namespace, labels={"app": app}),
        "spec": {"containers": [container], "automountServiceAccountToken": False, **spec},
    }


def deployment(name, namespace, image, replicas=4, **env):
    container = {
        "name": name,
        "image": image,
        "ports": [{"containerPort": 8080}],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(name, namespace, labels={"app": name}),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def configmap(name, namespace, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(name, namespace), "data": data}


def service(name, namespace, target, **port):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta(name, namespace),
        "spec": {
            "selector": {"app": name},
            "ports": [{"port": 80, "targetPort": target, **port}],
            **({"type": "NodePort"} if port else {}),
        },
    }


def secret(name, namespace):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta(name, namespace),
        "type": "Opaque",
        "stringData": {"username": name, "password": "not-a-real-one"},
    }


def role(name, *rules):
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": meta(name),
        "rules": [{"apiGroups": groups, "resources": resources, "verbs": verbs} for groups, resources, verbs in rules],
    }


def binding(name, to, kind, subject, namespace=None):
    who = {"kind": kind, "name": subject.split(":")[-1]}
    who |= {"namespace": subject.split(":")[0]} if kind == "ServiceAccount" else {"apiGroup": RBAC}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": meta(name, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": to},
        "subjects": [who],
    }


def core(kind, namespace=None, name=None):
    return "/api/v1" + (f"/namespaces/{namespace}" if namespace else "") + f"/{kind}" + (f"/{name}" if name else "")


def apps(namespace, name=None):
    return f"/apis/apps/v1/namespaces/{namespace}/deployments" + (f"/{name}" if name else "")
