//! The bar of work whose size is known, for people only.

use indicatif::{ProgressBar, ProgressStyle};

use crate::console::Console;

/// A bar over bytes, in the language's words; hidden where nobody watches.
pub(super) fn bar(console: Console, what: &str) -> ProgressBar {
    if !console.redraws {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
        .expect("the template is written as indicatif expects it");
    let bar = ProgressBar::new(0).with_style(style);
    bar.set_message(what.to_owned());
    bar
}

/// Tells a bar how many bytes of how many are done.
pub(super) fn moved(bar: &ProgressBar) -> impl FnMut(u64, u64) + use<'_> {
    |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    }
}
