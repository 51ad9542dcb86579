//! What the tests share.

/// The shape of a wav2vec2 of a few thousand parameters, three layers deep.
pub(crate) fn small_wav2vec2() -> serde_json::Value {
    serde_json::json!({
        "model_type": "wav2vec2",
        "conv_dim": vec![8; 7],
        "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2],
        "hidden_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "num_conv_pos_embeddings": 8,
        "num_conv_pos_embedding_groups": 2,
    })
}
