//! What reconciling asks of the API server.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, ValidationDirective};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, PartialObjectMeta};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::objects::{Kind, Object};
use super::{Error, MANAGER, STATUS_MANAGER, kubesphere, webhook};
use crate::api::{GROUP, VERSION, WEBHOOK};

/// The API server, and where things are made.
#[derive(Clone)]
pub(super) struct Cluster {
    client: Client,
    namespace: String,
}

/// What a Secret holds, and its version.
pub(super) struct Found {
    pub(super) data: BTreeMap<String, String>,
    version: Option<String>,
}

impl Cluster {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned() }
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource())
    }

    fn webhooks(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &webhook_resource())
    }

    /// The `Webhook`, as untyped as it may be malformed.
    pub(super) async fn webhook(&self) -> Result<Option<DynamicObject>, Error> {
        self.webhooks().get_opt(WEBHOOK).await.map_err(Error::api("get", "webhooks", WEBHOOK))
    }

    pub(super) async fn claim(&self, body: &Value) -> Result<DynamicObject, Error> {
        let params = PatchParams::apply(MANAGER).force();
        self.webhooks()
            .patch(WEBHOOK, &params, &Patch::Apply(body))
            .await
            .map_err(Error::api("patch", "webhooks", WEBHOOK))
    }

    pub(super) async fn release(&self, found: &DynamicObject) -> Result<(), Error> {
        let patch = Patch::Merge(webhook::released(found));
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match self.webhooks().patch(WEBHOOK, &params, &patch).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            other => other.map(drop).map_err(Error::api("patch", "webhooks", WEBHOOK)),
        }
    }

    pub(super) async fn write_status(&self, body: &Value) -> Result<(), Error> {
        let params = PatchParams::apply(STATUS_MANAGER).force();
        let written = self.webhooks().patch_status(WEBHOOK, &params, &Patch::Apply(body)).await;
        written.map(drop).map_err(Error::api("patch", "webhooks/status", WEBHOOK))
    }

    /// Puts the fields that are ours as they should be, and leaves the others.
    pub(super) async fn apply(&self, object: &Object) -> Result<DynamicObject, Error> {
        let mut params = PatchParams::apply(MANAGER).force();
        params.field_validation = Some(ValidationDirective::Strict);
        let plural = object.kind.resource().plural;
        let applied = self.api(object.kind).patch(&object.name, &params, &Patch::Apply(&object.body)).await;
        applied.map_err(Error::api("apply", &plural, &object.name))
    }

    /// Names of the objects of a kind that were made for the `Webhook`.
    pub(super) async fn made(&self, kind: Kind) -> Result<Vec<String>, Error> {
        let resource = kind.resource();
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let params = ListParams::default().labels(&webhook::selector());
        let listed = api.list(&params).await.map_err(Error::api("list", &resource.plural, ""))?;
        Ok(listed.items.into_iter().filter_map(|it| it.metadata.name).collect())
    }

    pub(super) async fn delete(&self, kind: Kind, name: &str) -> Result<(), Error> {
        match self.api(kind).delete(name, &DeleteParams::background()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            other => other.map(drop).map_err(Error::api("delete", &kind.resource().plural, name)),
        }
    }

    pub(super) async fn secret(&self, name: &str) -> Result<Option<Found>, Error> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let Some(secret) = api.get_opt(name).await.map_err(Error::api("get", "secrets", name))? else {
            return Ok(None);
        };
        let text = |(key, value): (String, k8s_openapi::ByteString)| Some((key, String::from_utf8(value.0).ok()?));
        let data = secret.data.unwrap_or_default().into_iter().filter_map(text).collect();
        Ok(Some(Found { data, version: secret.metadata.resource_version }))
    }

    /// Writes a Secret as a whole, unless another has written it since it was found: two leaders must not make two authorities.
    pub(super) async fn replace(&self, object: &Object, found: Option<&Found>) -> Result<(), Error> {
        let mut body = object.body.clone();
        let failed = Error::api("write", "secrets", &object.name);
        match found {
            None => {
                let written = self.api(Kind::Secret);
                let new: DynamicObject =
                    serde_json::from_value(body).map_err(kube::Error::SerdeError).map_err(&failed)?;
                let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
                written.create(&params, &new).await.map(drop).map_err(failed)
            }
            Some(found) => {
                if let Some(metadata) = body.pointer_mut("/metadata").and_then(Value::as_object_mut) {
                    metadata.insert("resourceVersion".to_owned(), json!(found.version));
                }
                self.apply(&Object { body, ..object.clone() }).await.map(drop)
            }
        }
    }

    /// The text of KubeSphere's configuration.
    pub(super) async fn kubesphere(&self) -> Result<Option<String>, Error> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), kubesphere::NAMESPACE);
        let found = api.get_opt(kubesphere::CONFIG).await;
        let found = found.map_err(Error::api("get", "configmaps", kubesphere::CONFIG))?;
        Ok(found.map(|it| it.data.and_then(|mut data| data.remove(kubesphere::KEY)).unwrap_or_default()))
    }
}

fn webhook_resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, "Webhook"), "webhooks")
}
