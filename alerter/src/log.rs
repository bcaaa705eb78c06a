//! The alert log: what is written down of each alert, cut into messages.
//!
//! Where a message is cut depends on the alerts alone and not on what became of them, and its id on the batches and its number
//! among them. So what is settled a second time, with other receivers perhaps, makes the same messages, of which the broker keeps the
//! first; and what is settled a second time beside other batches is known to readers by event and rule.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use prost::Message;
use vedette_proto::bus::v1::{Alert, AlertLog, AlertOutcome, LoggedAlert};

use crate::lane::Rejection;
use crate::notice::{ANNOTATION_LIMIT, Notice, annotation};

/// Bytes of alerts in a message, before it is compressed. One alert more may be in it, of a few hundred kilobytes at most.
const PART_BYTES: usize = 1 << 20;
/// Alerts in a message: each names its receivers.
const PART_ALERTS: usize = 2_000;

/// What the log holds of some batches of a cluster, or a part of it.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) log: AlertLog,
    /// Those of the batches that have alerts.
    pub(crate) batches: Vec<&'a str>,
    /// Which part it is.
    pub(crate) number: usize,
}

/// Cuts the texts of an alert to what receivers are told of them. Clients choose them, and they are held in memory; so is
/// the whole message as long as the id is a part of it.
pub(crate) fn trim(alert: &mut Alert) {
    alert.event_id = alert.event_id.to_vec().into();
    for text in [
        &mut alert.message,
        &mut alert.audit_id,
        &mut alert.stage_timestamp,
        &mut alert.request_received_timestamp,
        &mut alert.namespace,
        &mut alert.workspace,
        &mut alert.tenant,
        &mut alert.user,
        &mut alert.impersonated_user,
        &mut alert.verb,
        &mut alert.resource,
        &mut alert.subresource,
        &mut alert.name,
        &mut alert.request_uri,
        &mut alert.source_ip,
        &mut alert.command,
    ] {
        if text.len() > ANNOTATION_LIMIT {
            *text = annotation(text);
        }
    }
}

/// About how many bytes an alert takes in memory and in a message.
pub(crate) fn weight(alert: &Alert) -> usize {
    alert.encoded_len()
}

/// What became of alerts for which there is no receiver.
pub(crate) fn unrouted(alerts: Vec<Alert>, received: i64, settled: Timestamp) -> Vec<LoggedAlert> {
    let entry = |alert| LoggedAlert {
        alert: Some(alert),
        received_unix_nanos: received,
        settled_unix_nanos: nanos(settled),
        outcome: AlertOutcome::Unrouted.into(),
        receivers: Vec::new(),
    };
    alerts.into_iter().map(entry).collect()
}

/// What became of alerts that receivers were told of by these notices: `took` names those that have them, apart from what each
/// `rejected`.
pub(crate) fn routed(
    alerts: Vec<Alert>,
    notices: &[Notice],
    took: &[String],
    rejected: &[(String, Rejection)],
    received: i64,
    settled: Timestamp,
) -> Vec<LoggedAlert> {
    let mut refusers: HashMap<u32, Vec<&str>> = HashMap::new();
    for (receiver, rejection) in rejected {
        for place in notices.get(rejection.notice).iter().flat_map(|notice| &notice.stands_for) {
            refusers.entry(*place).or_default().push(receiver);
        }
    }
    let entry = |(place, alert)| {
        let refusers = refusers.get(&place).map_or(&[][..], Vec::as_slice);
        let outcome = if refusers.is_empty() { AlertOutcome::Sent } else { AlertOutcome::Rejected };
        LoggedAlert {
            alert: Some(alert),
            received_unix_nanos: received,
            settled_unix_nanos: nanos(settled),
            outcome: outcome.into(),
            receivers: took.iter().filter(|name| !refusers.contains(&name.as_str())).cloned().collect(),
        }
    };
    (0_u32..).zip(alerts).map(entry).collect()
}

/// The log of batches: cluster, batch and alerts of each.
pub(crate) fn parts<'a>(batches: impl IntoIterator<Item = (&'a str, &'a str, &'a [LoggedAlert])>) -> Vec<Part<'a>> {
    let mut clusters: BTreeMap<&str, (Vec<&str>, Vec<&LoggedAlert>)> = BTreeMap::new();
    for (cluster, batch, alerts) in batches {
        if !alerts.is_empty() {
            let (batches, all) = clusters.entry(cluster).or_default();
            batches.push(batch);
            all.extend(alerts);
        }
    }
    let mut parts = Vec::new();
    for (cluster, (batches, alerts)) in clusters {
        let mut bytes = 0;
        let cuts = alerts.chunk_by(|_, next| {
            bytes += next.alert.as_ref().map_or(0, weight);
            let fits = bytes <= PART_BYTES;
            bytes = if fits { bytes } else { 0 };
            fits
        });
        for (number, alerts) in cuts.flat_map(|cut| cut.chunks(PART_ALERTS)).enumerate() {
            let alerts = alerts.iter().map(|alert| (*alert).clone()).collect();
            let log = AlertLog { cluster: cluster.to_owned(), alerts };
            parts.push(Part { log, batches: batches.clone(), number });
        }
    }
    parts
}

fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(bytes: usize, receivers: usize) -> LoggedAlert {
        let alert = Alert { message: "m".repeat(bytes), ..Alert::default() };
        let receivers = (0..receivers).map(|number| format!("receiver-{number}")).collect();
        LoggedAlert { alert: Some(alert), receivers, ..LoggedAlert::default() }
    }

    fn sizes(alerts: &[LoggedAlert]) -> Vec<usize> {
        let parts = parts([("c", "b1", alerts), ("c", "b2", &[]), ("d", "b3", &alerts[..1])]);
        let last = parts.last().unwrap();
        assert_eq!((last.log.cluster.as_str(), &last.batches[..], last.number), ("d", &["b3"][..], 0));
        let parts = &parts[..parts.len() - 1];
        assert!(parts.iter().enumerate().all(|(number, part)| part.number == number && part.batches == ["b1"]));
        let all: Vec<LoggedAlert> = parts.iter().flat_map(|part| part.log.alerts.clone()).collect();
        assert_eq!(all, alerts, "each is in one part, in order");
        parts.iter().map(|part| part.log.alerts.len()).collect()
    }

    #[test]
    fn the_log_is_cut_by_what_the_alerts_are_and_not_by_what_became_of_them() {
        let few: Vec<LoggedAlert> = (0..10).map(|_| logged(300_000, 1)).collect();
        let cut = sizes(&few);
        assert!(cut.len() > 2 && cut.iter().all(|alerts| *alerts <= 4), "{cut:?}");
        let others: Vec<LoggedAlert> = (0..10).map(|_| logged(300_000, 50)).collect();
        assert_eq!(sizes(&others), cut);
        let many: Vec<LoggedAlert> = (0..5_000).map(|_| logged(10, 1)).collect();
        assert_eq!(sizes(&many), [2_000, 2_000, 1_000]);
    }

    #[test]
    fn a_long_text_is_cut() {
        let mut alert = Alert { request_uri: "é".repeat(1 << 20), name: "short".to_owned(), ..Alert::default() };
        trim(&mut alert);
        assert_eq!((alert.request_uri.chars().count(), alert.name.as_str()), (ANNOTATION_LIMIT, "short"));
    }
}
