//! `io-shared snapshot`: the newest value as a picture.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::Newest;
use io_shared::{ErrorKind, Schema, Value};

use crate::failure::Failure;
use crate::follow::Follow;
use crate::named;
use crate::out::{Out, plain};
use crate::picture::{self, Picture};
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channel: points with x, y and z, an array of (N, 3) or more floats, or an image.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::channels))]
    name: String,
    /// The PNG file to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Color the points by the labels in this channel whose tag names the cloud.
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(named::channels))]
    labels: Option<String>,
    /// The longer side of a cloud's picture, in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 800,
          value_parser = clap::value_parser!(u32).range(16..=8192))]
    size: u32,
    /// Give up after this long without a value.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::parse_duration)]
    timeout: Duration,
}

/// A value, copied.
struct Copied {
    schema: Schema,
    bytes: Vec<u8>,
    newest: Newest,
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let deadline = units::deadline(Some(options.timeout));
    let (cloud, labels) = match &options.labels {
        None => (copy(&options.name, deadline)?, None),
        Some(labels) => pair(&options.name, labels, deadline)?,
    };
    let value = Value::decode(&cloud.schema, &cloud.bytes)
        .map_err(|error| Failure::Failed(format!("{}: {error}", options.name)))?;
    let labels = match &labels {
        None => None,
        Some(labels) => {
            let value = Value::decode(&labels.schema, &labels.bytes)
                .map_err(|error| Failure::Failed(error.to_string()))?;
            Some(picture::labels(&value).map_err(Failure::Failed)?)
        }
    };
    let picture = picture::draw(&value, labels.as_ref(), options.size)
        .map_err(|what| Failure::Failed(format!("{}: {what}", options.name)))?;
    write(&picture, &options.output).map_err(|error| {
        Failure::Failed(format!("cannot write {}: {error}", options.output.display()))
    })?;
    let Picture { width, height, what, .. } = &picture;
    if out.json {
        out.object(&serde_json::json!({
            "seq": cloud.newest.seq, "width": width, "height": height, "what": what,
        }))?;
    } else {
        let file = plain(&options.output.display().to_string());
        out.line(format_args!("{file}: {what} of value {}", cloud.newest.seq))?;
    }
    Ok(())
}

/// The newest value of a channel, which is waited for.
fn copy(name: &str, deadline: Option<Instant>) -> Result<Copied, Failure> {
    let mut follow = Follow::new(name)?;
    loop {
        if follow.next(deadline)?.is_none() {
            return Err(Failure::Timeout(follow.waiting_for()));
        }
        let reader = follow.reader()?;
        let mut bytes = Vec::new();
        match reader.copy(&mut bytes) {
            Ok(Some(newest)) => {
                return Ok(Copied { schema: reader.schema().clone(), bytes, newest });
            }
            // The producer was faster; the next value comes.
            Ok(None) => {}
            Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A cloud and the labels that were made of it.
fn pair(
    cloud: &str,
    labels: &str,
    deadline: Option<Instant>,
) -> Result<(Copied, Option<Copied>), Failure> {
    // Clouds come first, so they are kept until their labels are there.
    let mut clouds = vec![copy(cloud, deadline)?];
    loop {
        let labels = copy(labels, deadline)?;
        if let Some(at) = clouds.iter().position(|cloud| cloud.newest.seq == labels.newest.tag) {
            return Ok((clouds.swap_remove(at), Some(labels)));
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let text = format!("no labels name a value of {cloud} by their tag");
            return Err(Failure::Timeout(text));
        }
        let newest = copy(cloud, deadline)?;
        if clouds.iter().all(|cloud| cloud.newest.seq != newest.newest.seq) {
            clouds.push(newest);
        }
        if clouds.len() > 16 {
            clouds.remove(0);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn write(picture: &Picture, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, picture.width, picture.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&picture.pixels)?;
    Ok(writer.finish()?)
}
