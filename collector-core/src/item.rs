//! The items of a purchase.
//!
//! In scope: checking `items`; amounts per item. Out of scope: the rows they become (`pipeline`).

use std::borrow::Cow;

use crate::beacon::{WireEvent, push_pointer_token};
use crate::field::Field;
use crate::money::Money;
use crate::outcome::InvalidReason;
use crate::property::Properties;
use crate::reader::{self, Invalid, is_filled};
use crate::site::UnknownFields;
use crate::wire::{self, Fields};

/// The most items of one purchase.
pub const MAX_ITEMS: usize = 100;

/// The event type of a row that is one item of a purchase; nothing on the wire may have it.
pub const ITEM_EVENT_TYPE: &str = "item";

/// The name of an item's price on the wire.
const UNIT_PRICE: &str = "unit_price";

/// One line of an order.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// The product.
    pub product_id: u64,
    /// How many; 1 if not sent.
    pub quantity: u32,
    /// Quantity times unit price.
    pub revenue: Money,
    /// The price as sent, and whatever else the item carries.
    pub properties: Properties<'a>,
}

/// Reads `items`. On other events than purchases it is an unknown field.
pub(crate) fn check<'a>(
    wire: &WireEvent<'_, 'a>,
    is_purchase: bool,
    unknown: UnknownFields,
    properties: &mut Properties<'a>,
) -> Result<Vec<Item<'a>>, Invalid> {
    let Some(value) = wire.get(Field::Items) else {
        return Ok(Vec::new());
    };
    if !is_purchase {
        if unknown == UnknownFields::Strict {
            return Err(wire.invalid(Field::Items, InvalidReason::UnknownField));
        }
        let added = properties.add_default(Cow::Borrowed("items"), value);
        added.map_err(|reason| wire.invalid(Field::Items, reason))?;
        return Ok(Vec::new());
    }
    let objects = wire::objects(value).ok_or_else(|| wire.invalid(Field::Items, InvalidReason::WrongType))?;
    if objects.len() > MAX_ITEMS {
        return Err(wire.invalid(Field::Items, InvalidReason::TooManyItems));
    }
    let pointer = wire.pointer(Field::Items);
    objects.iter().enumerate().map(|(index, item)| check_item(item, unknown, &format!("{pointer}/{index}"))).collect()
}

fn check_item<'a>(item: &Fields<'a>, unknown: UnknownFields, pointer: &str) -> Result<Item<'a>, Invalid> {
    let invalid = |name: &str, reason| Invalid { reason, field: format!("{pointer}/{name}") };
    if !item.is_object {
        return Err(Invalid { reason: InvalidReason::NotAnObject, field: pointer.to_owned() });
    }
    let product_id = item.get(Field::ProductId).filter(is_filled).ok_or(InvalidReason::MissingField);
    let product_id = product_id
        .and_then(|value| reader::integer(value, u64::MAX))
        .map_err(|reason| invalid(Field::ProductId.name(), reason))?;
    let quantity = item
        .get(Field::Quantity)
        .map_or(Ok(1), |value| reader::integer(value, u64::from(u32::MAX)))
        .map_err(|reason| invalid(Field::Quantity.name(), reason))?;
    let quantity = u32::try_from(quantity).unwrap_or(u32::MAX);
    let unit_price = item.unknown.iter().find(|(name, _)| name == UNIT_PRICE).map(|(_, value)| *value);
    let revenue = unit_price
        .filter(is_filled)
        .ok_or(InvalidReason::MissingField)
        .and_then(reader::number)
        .and_then(|price| Money::from_number(price.times(quantity)).ok_or(InvalidReason::OutOfRange))
        .map_err(|reason| invalid(UNIT_PRICE, reason))?;
    let properties = check_rest(item, unknown, pointer)?;
    Ok(Item { product_id, quantity, revenue, properties })
}

/// Keeps what has no column: the unit price, unknown fields, and fields of an event that mean nothing on an item.
fn check_rest<'a>(item: &Fields<'a>, unknown: UnknownFields, pointer: &str) -> Result<Properties<'a>, Invalid> {
    let mut properties = Properties::default();
    let misplaced = item.present().filter(|(field, _)| !matches!(field, Field::ProductId | Field::Quantity));
    let misplaced = misplaced.map(|(field, value)| (Cow::Borrowed(field.name()), value));
    for (name, value) in item.unknown.iter().map(|(name, value)| (name.clone(), *value)).chain(misplaced) {
        let is_refused = unknown == UnknownFields::Strict && name != UNIT_PRICE;
        let added = if is_refused { Err(InvalidReason::UnknownField) } else { properties.add(name.clone(), value) };
        added.map_err(|reason| {
            let mut field = pointer.to_owned();
            push_pointer_token(&mut field, &name);
            Invalid { reason, field }
        })?;
    }
    Ok(properties)
}
