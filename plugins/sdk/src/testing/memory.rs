//! What is asked about the streams of method `oupn`: their memories, of which some places are empty.

use super::answers::{Answer, Size};
use super::host::Host;
use super::tensor::Tensor;

/// The score of a prototype that does not exist.
pub(super) const EMPTY: f32 = -1e6;

/// Asks a novelty about `streams`, of `places` each.
pub(super) fn novelty(host: Host, streams: usize, places: usize) -> Host {
    let takes = |name| Answer::numbers(name, &[Size::Is(streams)]);
    let host = memory(host, streams, places)
        .number("empty", EMPTY.into())
        .takes(takes("logit"))
        .takes(takes("d_beta").optional())
        .takes(takes("d_gamma").optional());
    learnt(host, [-9.0, 1.0])
}

/// Asks a prototypes policy about `streams`, of `places` each.
pub(super) fn prototypes(host: Host, streams: usize, places: usize) -> Host {
    let (b, k) = (streams, places);
    let age = |at: usize| (at * 31 % 7) as f32 + 1.0;
    // Between certainly old and certainly new, both among them.
    let novelty = |stream: usize| (stream * 5 % 8) as f32 / 7.0;
    memory(host, b, k)
        .input("age", of_those_that_exist(b, k, 0.0, age))
        .input(
            "novelty",
            Tensor::F32((0..b).map(novelty).collect(), vec![b]),
        )
        .takes(Answer::shares("share", &[Size::Is(b), Size::Is(k)]))
        .takes(Answer::rows("place", &[Size::Is(b)], (0, k as i64 - 1)))
}

/// With these `beta` and `gamma`, the same for each stream.
pub(super) fn learnt(host: Host, [beta, gamma]: [f32; 2]) -> Host {
    let streams = host.known("scores").map_or(0, |scores| scores.shape()[0]);
    host.repeated("beta", beta, streams)
        .repeated("gamma", gamma, streams)
}

fn memory(host: Host, streams: usize, places: usize) -> Host {
    let score = |at: usize| (at * 7919 % 199) as f32 / 10.0 - 9.9;
    let usage = |at: usize| (at * 104_729 % 97) as f32 / 48.0 + 0.01;
    host.input("scores", of_those_that_exist(streams, places, EMPTY, score))
        .input("usage", of_those_that_exist(streams, places, 0.0, usage))
}

/// Of the first stream all places are filled, of the last one none, of the others every third is empty; of the only one the first.
fn of_those_that_exist(
    streams: usize,
    places: usize,
    otherwise: f32,
    value: impl Fn(usize) -> f32,
) -> Tensor {
    let exists = |at: usize| match at / places {
        0 => streams > 1 || at > 0,
        stream if stream + 1 == streams => false,
        _ => at % 3 != 1,
    };
    let all = (0..streams * places).map(|at| match exists(at) {
        true => value(at),
        false => otherwise,
    });
    Tensor::F32(all.collect(), vec![streams, places])
}
