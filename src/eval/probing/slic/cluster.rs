//! k-means of pixels, each centre within its window.

/// An image as planes of colour that are scaled to what a grid step is in the plane.
pub(super) struct Pixels<'a> {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) colours: &'a [Vec<f32>; 3],
}

/// The mean row, column and colour of a segment.
type Centre = [f32; 5];

impl Pixels<'_> {
    /// The segment of each pixel, from 1, by rows. `start` are rows and columns of the centres, `steps` half of what a centre
    /// sees on each side of itself, `weight` what a squared distance in pixels counts.
    pub(super) fn segments(
        &self,
        start: &[[f32; 2]],
        steps: [usize; 2],
        weight: f32,
        rounds: usize,
    ) -> Vec<u32> {
        // Without a colour all centres differ from a pixel alike: the first round goes by place alone.
        let centre = |&[row, column]: &[f32; 2]| Some([row, column, 0.0, 0.0, 0.0]);
        let mut centres: Vec<Option<Centre>> = start.iter().map(centre).collect();
        let mut nearest = vec![0; self.height * self.width];
        for _ in 0..rounds {
            let before = nearest.clone();
            let mut distances = vec![f32::INFINITY; nearest.len()];
            for (segment, centre) in (1..).zip(&centres) {
                // A centre that lost all its pixels is nowhere.
                if let Some(centre) = centre {
                    self.claim(segment, centre, steps, weight, &mut distances, &mut nearest);
                }
            }
            if nearest == before {
                break;
            }
            centres = self.means(&nearest, centres.len());
        }
        nearest
    }

    /// Gives `segment` the pixels of its window that no segment before is as near to.
    fn claim(
        &self,
        segment: u32,
        centre: &Centre,
        steps: [usize; 2],
        weight: f32,
        distances: &mut [f32],
        nearest: &mut [u32],
    ) {
        let window = |axis: usize, size: usize| {
            let (at, reach) = (centre[axis], (2 * steps[axis]) as f32);
            let (from, to) = ((at - reach).max(0.0), (at + reach + 1.0).min(size as f32));
            from as usize..to as usize
        };
        let (rows, columns) = (window(0, self.height), window(1, self.width));
        let [y, x, l, a, b] = *centre;
        for row in rows {
            let line = row * self.width + columns.start..row * self.width + columns.end;
            let down = (y - row as f32) * (y - row as f32);
            let [ls, a_s, bs] = [0, 1, 2].map(|plane: usize| &self.colours[plane][line.clone()]);
            let (distances, nearest) = (&mut distances[line.clone()], &mut nearest[line]);
            for at in 0..columns.len() {
                let across = x - (columns.start + at) as f32;
                let (dl, da, db) = (ls[at] - l, a_s[at] - a, bs[at] - b);
                let found = (down + across * across) * weight + (dl * dl + da * da + db * db);
                // Without a branch, so that several pixels are compared at once.
                let nearer = u32::from(found < distances[at]).wrapping_neg();
                nearest[at] = (segment & nearer) | (nearest[at] & !nearer);
                distances[at] = found.min(distances[at]);
            }
        }
    }

    /// The means of the segments; none of one without pixels.
    fn means(&self, nearest: &[u32], segments: usize) -> Vec<Option<Centre>> {
        let mut sums = vec![[0.0f64; 6]; segments];
        for (at, &segment) in nearest.iter().enumerate() {
            let Some(sum) = (segment as usize)
                .checked_sub(1)
                .and_then(|segment| sums.get_mut(segment))
            else {
                continue;
            };
            let place = [(at / self.width) as f64, (at % self.width) as f64];
            let colour = [0, 1, 2].map(|plane: usize| f64::from(self.colours[plane][at]));
            let values = place.into_iter().chain(colour).chain([1.0]);
            sum.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += value);
        }
        let mean = |[y, x, l, a, b, count]: [f64; 6]| {
            (count > 0.0).then(|| [y, x, l, a, b].map(|sum| (sum / count) as f32))
        };
        sums.into_iter().map(mean).collect()
    }
}
