//! Progress on a terminal; nothing where the standard error is a file.
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::term;

/// Counts events, up to `total` where it is known.
pub(crate) fn events(total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "      {bar:24} {human_pos}/{human_len} events · {per_sec} · {elapsed} {msg}",
        None => "{spinner} {human_pos} events · {per_sec} · {elapsed} {msg}",
    };
    make(total, template)
}

/// Says what is being waited for.
pub(crate) fn waiting(message: impl Into<std::borrow::Cow<'static, str>>) -> ProgressBar {
    let bar = make(None, "      {spinner} {msg}");
    bar.set_message(message);
    bar
}

fn make(total: Option<u64>, template: &str) -> ProgressBar {
    let target = if term::draws() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(total, target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("██░"));
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
