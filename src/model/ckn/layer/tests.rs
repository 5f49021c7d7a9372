use tch::{Device, Kind, Tensor};

use super::*;

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

fn exponential(sigma: f64) -> Kernel {
    Kernel::Exponential { sigma }
}

/// Features of each sub-patch by loops over numbers, in f64.
fn slow(layer: &Layer, input: &Tensor, feature: impl Fn(f64, usize) -> f64) -> Tensor {
    let filters = layer.filters.to_kind(Kind::Double);
    let (count, channels, size) = (filters.size()[0], filters.size()[1], filters.size()[2]);
    let (batch, height, width) = (input.size()[0], input.size()[2], input.size()[3]);
    let border = if layer.padding == Padding::Same {
        size / 2
    } else {
        0
    };
    let (h, w) = (
        height + 2 * border - size + 1,
        width + 2 * border - size + 1,
    );
    let out = Tensor::zeros([batch, count, h, w], (Kind::Double, Device::Cpu));
    let read = |b: i64, c: i64, y: i64, x: i64| match (0..height).contains(&y)
        && (0..width).contains(&x)
    {
        true => input.double_value(&[b, c, y, x]),
        false => 0.0,
    };
    for (b, y, x) in
        (0..batch).flat_map(|b| (0..h).flat_map(move |y| (0..w).map(move |x| (b, y, x))))
    {
        let mut patch = Vec::new();
        for (c, i, j) in (0..channels)
            .flat_map(|c| (0..size).flat_map(move |i| (0..size).map(move |j| (c, i, j))))
        {
            let mean = layer
                .mean
                .as_ref()
                .map_or(0.0, |mean| mean.double_value(&[0, c, i, j]));
            patch.push(read(b, c, y + i - border, x + j - border) - mean);
        }
        let length = patch.iter().map(|v| v * v).sum::<f64>().max(1e-6).sqrt();
        for p in 0..count {
            let row = Vec::<f64>::try_from(filters.get(p).flatten(0, -1)).unwrap();
            let product: f64 = row.iter().zip(&patch).map(|(a, b)| a * b).sum();
            let value = length * feature(product / length, p as usize);
            let _ = out.get(b).get(p).get(y).get(x).fill_(value);
        }
    }
    out
}

fn near(got: &Tensor, expected: &Tensor, allowed: f64) {
    assert_eq!(got.size(), expected.size());
    let largest = (got - expected).abs().max().double_value(&[]);
    assert!(largest <= allowed, "{largest}");
}

#[test]
fn features_are_those_of_plain_loops() {
    tch::manual_seed(7);
    for (padding, size, centred) in [
        (Padding::Valid, 4, false),
        (Padding::Same, 3, false),
        (Padding::Same, 3, true),
        (Padding::Valid, 1, true),
    ] {
        let input = Tensor::randn([2, 3, 6, 5], FLOAT);
        // A region without anything in it.
        let _ = input.narrow(2, 0, 4).narrow(3, 0, 4).get(0).fill_(0.0);
        let filters = Tensor::randn([4, 3, size, size], FLOAT);
        let mean = centred.then(|| Tensor::randn([1, 3, size, size], FLOAT));
        let copy = || mean.as_ref().map(Tensor::shallow_clone);
        let layer = Layer::anchored(&filters, copy(), exponential(0.6), padding, 1).unwrap();
        let expected = slow(&layer, &input, |cosine, _| ((cosine - 1.0) / 0.36).exp());
        near(&layer.features(&input), &expected, 2e-5);
        let offsets = Tensor::from_slice(&[0.1f32, -0.5, 0.2, 0.0]);
        let layer = Layer::exponential(&filters, &offsets, copy(), padding, 1).unwrap();
        let values = [0.1, -0.5, 0.2, 0.0];
        let expected = slow(&layer, &input, |product, p| (product + values[p]).exp());
        let scale = expected.abs().max().double_value(&[]);
        near(&layer.features(&input), &expected, 2e-5 * scale);
    }
}

#[test]
fn products_of_features_of_anchors_are_the_kernel_of_the_anchors() {
    tch::manual_seed(8);
    let filters = Tensor::randn([6, 2, 3, 3], FLOAT);
    for kernel in [
        exponential(0.6),
        Kernel::ArcCosineStep,
        Kernel::ArcCosineRelu,
    ] {
        let layer = Layer::projection(&filters, None, kernel, Padding::Valid, 1).unwrap();
        let anchors = layer.filters.flatten(1, -1);
        let exact = kernel.of(&anchors.matmul(&anchors.tr()));
        let features = layer.forward(layer.filters()).flatten(1, -1);
        // The floor of the inverse root takes about two percent.
        near(&features.matmul(&features.tr()), &exact, 0.05);
    }
}

#[test]
fn more_anchors_are_nearer_to_the_kernel() {
    tch::manual_seed(9);
    let points = Tensor::randn([200, 3, 1, 1], FLOAT);
    let points = &points / points.norm_scalaropt_dim(2.0, [1, 2, 3], true);
    let kernel = exponential(0.6);
    let flat = points.flatten(1, -1);
    let exact = kernel.of(&flat.matmul(&flat.tr()));
    let errors = [4, 16, 64].map(|count| {
        let filters = points.narrow(0, 0, count);
        let layer = Layer::projection(&filters, None, kernel, Padding::Valid, 1).unwrap();
        let features = layer.forward(&points).flatten(1, -1);
        let difference = features.matmul(&features.tr()) - &exact;
        difference
            .square()
            .mean(Kind::Double)
            .sqrt()
            .double_value(&[])
    });
    assert!(
        errors[0] > 2.0 * errors[1] && errors[1] > 2.0 * errors[2],
        "{errors:?}"
    );
    assert!(errors[2] < 0.03, "{errors:?}");
}

#[test]
fn the_output_is_as_long_as_the_input() {
    tch::manual_seed(10);
    let (filters, input) = (
        Tensor::randn([5, 2, 3, 3], FLOAT),
        Tensor::randn([1, 2, 8, 8], FLOAT),
    );
    let layer = Layer::projection(&filters, None, exponential(0.5), Padding::Same, 2).unwrap();
    let once = layer.forward(&input);
    near(&layer.forward(&(&input * 7.0)), &(&once * 7.0), 1e-4);
    assert_eq!(once.size(), [1, 5, 4, 4]);
    assert!(
        layer
            .forward(&(&input * 0.0))
            .isfinite()
            .all()
            .int64_value(&[])
            == 1
    );
}

#[test]
fn sides_are_those_of_the_maps() {
    tch::manual_seed(11);
    for (size, padding, subsampling) in [
        (3, Padding::Same, 2),
        (4, Padding::Valid, 3),
        (1, Padding::Valid, 1),
    ] {
        let filters = Tensor::randn([2, 1, size, size], FLOAT);
        let layer =
            Layer::projection(&filters, None, exponential(0.5), padding, subsampling).unwrap();
        for length in 1..12 {
            let fits = side(length, size, padding, subsampling);
            if let Some((before, after)) = fits {
                let input = Tensor::randn([1, 1, length, length], FLOAT);
                assert_eq!(layer.features(&input).size()[2], before);
                assert_eq!(layer.forward(&input).size()[3], after);
            } else {
                assert!(length < size);
            }
        }
    }
}

#[test]
fn what_fits_no_layer_is_said() {
    let filters = Tensor::ones([2, 1, 4, 4], FLOAT);
    let said = |filters: &Tensor, mean, padding, subsampling| {
        let layer = Layer::projection(filters, mean, exponential(0.5), padding, subsampling);
        layer.unwrap_err().to_string()
    };
    assert_eq!(
        said(&filters, None, Padding::Same, 2),
        "ckn: 'size': expected an odd number where maps are padded, got 4"
    );
    assert_eq!(
        said(&filters, None, Padding::Valid, 0),
        "ckn: 'subsampling': expected 1 or more, got 0"
    );
    assert_eq!(
        said(&filters.narrow(3, 0, 3), None, Padding::Valid, 2),
        "ckn: filters: expected shape [P, C, size, size], got [2, 1, 4, 3]"
    );
    assert_eq!(
        said(&(&filters * 0.0), None, Padding::Valid, 2),
        "ckn: 'filters': expected rows longer than 0, got 0"
    );
    assert_eq!(
        said(&filters, Some(filters.shallow_clone()), Padding::Valid, 2),
        "ckn: mean: expected shape [1, 1, 4, 4], got [2, 1, 4, 4]"
    );
    let offsets = Tensor::zeros([3], FLOAT);
    let error = Layer::exponential(&filters, &offsets, None, Padding::Valid, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ckn: offsets: expected shape [2], got [3]"
    );
}
