//! `with_` methods of configurations.

/// Declares one method per line, each of which sets one field.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $field:ident, $type:ty;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(mut self, value: $type) -> Self {
            self.$field = value;
            self
        })*
    };
}
pub(crate) use setters;
