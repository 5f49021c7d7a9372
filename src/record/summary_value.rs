//! Values of summaries that TensorBoard's plugins read.

use tensorboard_proto::summary::{Summary_Value, SummaryMetadata, SummaryMetadata_PluginData};

/// A value of a summary that one of TensorBoard's plugins reads, by its metadata.
pub(super) fn plugin_value(tag: &str, plugin: &str, content: Vec<u8>) -> Summary_Value {
    let mut data = SummaryMetadata_PluginData::new();
    data.set_plugin_name(plugin.to_owned());
    data.set_content(content);
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(data);
    let mut value = Summary_Value::new();
    value.set_tag(tag.to_owned());
    value.set_metadata(metadata);
    value
}
