//! What a verdict is not.

use std::io::{self, Write};

use crate::model::Model;

pub(super) fn write(out: &mut impl Write, model: &Model) -> io::Result<()> {
    writeln!(
        out,
        "<section aria-labelledby=\"limits\">\n<h2 id=\"limits\">What it can’t do</h2>\n<ul>\n\
         <li><strong>A score is no evidence.</strong> Detectors of this kind are wrong in both directions, and confidently \
         so. Weigh it with what else is known, and never decide about a person by it alone.</li>\n\
         <li><strong>P(spoof) is no calibrated probability.</strong> It is what the model believes; of voices at 0.9 there \
         need not be nine in ten machine-made.</li>\n\
         <li><strong>New machines are missed.</strong> Speech synthesisers that the model was not trained on can pass for \
         people.</li>\n\
         <li><strong>Telephones, codecs and noise mislead.</strong> They take away what gives machines away, and can make \
         people sound like machines.</li>\n\
         <li><strong>Short clips say little.</strong> Give it several seconds of speech.</li>\n\
         <li><strong>A recording that was cut together</strong> can be both. Look at P(spoof) along the time, not at the \
         mean alone; but a single high window proves nothing either.</li>"
    )?;
    if model.embedded {
        writeln!(
            out,
            "<li><strong>The model is the embedded default, which is small.</strong> It is there to try things out. For \
             real decisions see <code>models/README.md</code>.</li>"
        )?;
    }
    writeln!(out, "</ul>\n</section>")
}
