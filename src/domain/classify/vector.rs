//! What a text means, as a model says it: a direction, in whole numbers.

use serde::{Deserialize, Serialize};

/// A direction among directions of the same model; how long it is says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Vector(Box<[i8]>);

/// How many standard deviations of its numbers a vector keeps.
const SPREAD: f64 = 4.9;
/// The largest number that is read, so that no sum of squares is infinite; and the smallest sum of them that is a direction.
const LARGEST: f64 = 1e100;
const SMALLEST: f64 = 1e-30;

impl Vector {
    /// The direction of these numbers; nothing where they have none.
    pub fn of(numbers: &[f64]) -> Option<Vector> {
        let sound = numbers.iter().all(|number| number.abs() < LARGEST);
        let square: f64 = numbers.iter().map(|number| number * number).sum();
        if !sound || square < SMALLEST {
            return None;
        }
        let step = libm::sqrt(square / numbers.len() as f64) * SPREAD / 127.0;
        let whole = |number: &f64| libm::round(number / step).clamp(-127.0, 127.0) as i8;
        Some(Vector(numbers.iter().map(whole).collect()))
    }

    /// The same from whole numbers that were kept; nothing where there are none.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Vector> {
        (!bytes.is_empty()).then(|| Vector(bytes.iter().map(|byte| byte.cast_signed()).collect()))
    }

    /// Its numbers as bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.iter().map(|number| number.cast_unsigned()).collect()
    }

    /// How many numbers it has.
    pub fn dimensions(&self) -> usize {
        self.0.len()
    }

    /// How alike two texts are, from -1 to 1.
    pub fn alike(&self, other: &Vector) -> f64 {
        let theirs: Vec<i32> = other.numbers().collect();
        let square = |vector: &Vector| f64::from(vector.numbers().map(|number| number * number).sum::<i32>());
        f64::from(self.dot(&theirs)) / libm::sqrt(square(self) * square(other)).max(1e-9)
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = i32> + '_ {
        self.0.iter().map(|number| i32::from(*number))
    }

    /// Its product with a direction of whole numbers.
    pub(super) fn dot(&self, other: &[i32]) -> i32 {
        self.0.iter().zip(other).map(|(mine, theirs)| i32::from(*mine) * theirs).sum()
    }

    /// A number for it under this name. Such numbers are added up, so that no order makes a difference.
    pub fn trace(&self, name: &str) -> u64 {
        let step = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
        name.bytes().chain([0]).chain(self.bytes()).fold(0xcbf2_9ce4_8422_2325, step)
    }
}
