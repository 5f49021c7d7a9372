//! The files of a run that TensorBoard's embedding projector reads.

use std::fs;

use super::{Result, RunFolder, io_error};
use crate::diagnostics::projector::Embedding;
use crate::storage::write_atomically;

/// The file by which TensorBoard finds the others; it must lie beside the events.
const CONFIG: &str = "projector_config.pbtxt";
const FOLDER: &str = "projector";

/// Writes an embedding under a run's folder. The file that names the others is written last.
///
/// # Errors
/// When a file cannot be written.
pub fn write(run: &RunFolder, embedding: &Embedding) -> Result<()> {
    let folder = run.file(FOLDER);
    fs::create_dir_all(&folder).map_err(io_error("create", &folder))?;
    for (name, bytes) in [
        ("features.tsv", embedding.features.as_bytes()),
        ("metadata.tsv", embedding.metadata.as_bytes()),
        ("sprite.png", &embedding.sprite.png),
    ] {
        write_atomically(&folder.join(name), bytes)?;
    }
    run.write(CONFIG, config(embedding).as_bytes())
}

/// A `ProjectorConfig` of TensorBoard as text; its paths are relative to the file.
fn config(Embedding { name, image, .. }: &Embedding) -> String {
    let [width, height] = image;
    format!(
        "embeddings {{\n  tensor_name: \"{name}\"\n  tensor_path: \"{FOLDER}/features.tsv\"\n  metadata_path: \
         \"{FOLDER}/metadata.tsv\"\n  sprite {{\n    image_path: \"{FOLDER}/sprite.png\"\n    single_image_dim: {width}\n    \
         single_image_dim: {height}\n  }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn the_configuration_names_files_that_there_are() {
        let out = tempfile::tempdir().unwrap();
        let run = RunFolder::create(out.path(), "run", &[]).unwrap();
        let columns = [("class", vec!["a".into()]), ("image", vec!["0".into()])];
        let one = Tensor::ones([1, 1, 3, 4], (Kind::Float, Device::Cpu));
        let embedding = Embedding::of("bank", &one.view([1, 12]), &columns, &one);
        // A second run of the end replaces the files.
        for _ in 0..2 {
            write(&run, &embedding).unwrap();
        }
        let config = fs::read_to_string(run.file(CONFIG)).unwrap();
        let named = config.lines().filter_map(|line| line.split_once("_path: "));
        let named: Vec<_> = named.map(|(_, path)| path.trim_matches('"')).collect();
        assert_eq!(named.len(), 3);
        assert!(
            named.iter().all(|path| run.file(path).is_file()),
            "{named:?}"
        );
        let sides: Vec<_> = config.matches("single_image_dim: ").collect();
        assert_eq!(sides.len(), 2);
        let [width, height] = ["4", "3"].map(|side| config.find(&format!("dim: {side}\n")));
        assert!(width.unwrap() < height.unwrap());
    }
}
