//! The folder that `ros2 bag` knows: MCAP files, and `metadata.yaml` with what is in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use mcap::Summary;
use mcap::sans_io::{SummaryReadEvent, SummaryReader};

/// What is in the files so far.
#[derive(Debug)]
pub(super) struct Bag {
    folder: PathBuf,
    files: Vec<Part>,
    /// How many messages each topic and type has.
    topics: BTreeMap<(String, String), u64>,
}

/// A file: its name, its messages, and the times of the first and last.
#[derive(Debug)]
struct Part {
    name: String,
    messages: u64,
    from: u64,
    to: u64,
}

impl Bag {
    /// Makes the folder, which must not exist yet.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir(folder)?;
        Ok(Self { folder: folder.to_owned(), files: Vec::new(), topics: BTreeMap::new() })
    }

    /// Notes a file that is whole.
    pub(super) fn add(&mut self, file: &Path, summary: &Summary) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(stats) = &summary.stats else { return };
        self.files.push(Part {
            name,
            messages: stats.message_count,
            from: stats.message_start_time,
            to: stats.message_end_time,
        });
        for (id, channel) in &summary.channels {
            let ty = channel.schema.as_ref().map_or("", |schema| &schema.name).to_owned();
            let count = stats.channel_message_counts.get(id).copied().unwrap_or(0);
            *self.topics.entry((channel.topic.clone(), ty)).or_default() += count;
        }
    }

    /// Notes a file by what it says at its end.
    pub(super) fn add_repaired(&mut self, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if self.files.iter().any(|file| file.name == name) {
            return Ok(());
        }
        let mut file = std::fs::File::open(path)?;
        let mut reader = SummaryReader::new();
        while let Some(event) = reader.next_event() {
            match event.map_err(io::Error::other)? {
                SummaryReadEvent::ReadRequest(need) => {
                    let read = file.read(reader.insert(need))?;
                    reader.notify_read(read);
                }
                SummaryReadEvent::SeekRequest(to) => reader.notify_seeked(file.seek(to)?),
            }
        }
        if let Some(summary) = reader.finish() {
            self.add(path, &summary);
        }
        Ok(())
    }

    /// Writes `metadata.yaml`.
    pub(super) fn write(&self) -> io::Result<()> {
        std::fs::write(self.folder.join("metadata.yaml"), self.yaml())
    }

    fn yaml(&self) -> String {
        let filled = || self.files.iter().filter(|file| file.messages > 0);
        let from = filled().map(|file| file.from).min().unwrap_or(0);
        let to = filled().map(|file| file.to).max().unwrap_or(0);
        let messages: u64 = self.files.iter().map(|file| file.messages).sum();
        // Version 5 is what every distribution since Humble reads.
        let duration = to.saturating_sub(from);
        let mut yaml = String::from("rosbag2_bagfile_information:\n  version: 5\n");
        yaml.push_str("  storage_identifier: mcap\n");
        // Writing to a String does not fail.
        let _ = write!(
            yaml,
            "  duration:\n    nanoseconds: {duration}\n  starting_time:\n    \
             nanoseconds_since_epoch: {from}\n  message_count: {messages}\n  \
             topics_with_message_count:\n"
        );
        for ((topic, ty), count) in &self.topics {
            let _ = write!(
                yaml,
                "    - topic_metadata:\n        name: {topic}\n        type: {ty}\n        \
                 serialization_format: cdr\n        offered_qos_profiles: \"\"\n      \
                 message_count: {count}\n"
            );
        }
        yaml.push_str("  compression_format: \"\"\n  compression_mode: \"\"\n");
        yaml.push_str("  relative_file_paths:\n");
        for Part { name, .. } in &self.files {
            let _ = writeln!(yaml, "    - {}", quoted(name));
        }
        yaml.push_str("  files:\n");
        for Part { name, messages, from, to } in &self.files {
            let name = quoted(name);
            let duration = to.saturating_sub(*from);
            let _ = write!(
                yaml,
                "    - path: {name}\n      starting_time:\n        nanoseconds_since_epoch: \
                 {from}\n      duration:\n        nanoseconds: {duration}\n      message_count: \
                 {messages}\n"
            );
        }
        yaml
    }
}

/// A text in the quotes of JSON, which YAML has too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
