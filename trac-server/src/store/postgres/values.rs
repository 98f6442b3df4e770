//! The values of rows and arguments, as the driver of PostgreSQL has them.

use std::error::Error;

use postgres::Row as Found;
use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::number::Whole;
use crate::store::StoreError;
use crate::store::rows::{Arg, Index, Value, Values};

impl Values for Found {
    fn value(&self, column: Index<'_>) -> Result<Value<'_>, StoreError> {
        let unknown = || StoreError::internal(format!("there is no {column:?}"));
        let at = match column {
            Index::At(at) => at,
            Index::Named(name) => {
                self.columns().iter().position(|one| one.name() == name).ok_or_else(unknown)?
            }
        };
        let kind = self.columns().get(at).ok_or_else(unknown)?.type_().clone();
        let value = match kind {
            Type::INT8 => self.try_get::<_, Option<i64>>(at)?.map(Value::Integer),
            Type::INT4 => self.try_get::<_, Option<i32>>(at)?.map(|number| Value::Integer(number.into())),
            Type::NUMERIC => self.try_get::<_, Option<Whole>>(at)?.map(|whole| Value::Integer(whole.0)),
            Type::BOOL => self.try_get::<_, Option<bool>>(at)?.map(|yes| Value::Integer(yes.into())),
            Type::TEXT | Type::VARCHAR | Type::NAME => self.try_get::<_, Option<&str>>(at)?.map(Value::Text),
            Type::BYTEA => self.try_get::<_, Option<&[u8]>>(at)?.map(Value::Bytes),
            other => return Err(StoreError::internal(format!("{column:?} is of the type {other}"))),
        };
        Ok(value.unwrap_or(Value::Null))
    }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, kind) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Untyped(number), kind) => Self::Integer(*number).to_sql(kind, out),
            (Self::Integer(number), &Type::INT4) => i32::try_from(*number)?.to_sql(kind, out),
            (Self::Integer(number), &Type::BOOL) => (*number != 0).to_sql(kind, out),
            (Self::Integer(number), &Type::INT8) => number.to_sql(kind, out),
            (Self::Bool(yes), &Type::BOOL) => yes.to_sql(kind, out),
            (Self::Bool(yes), &Type::INT8) => i64::from(*yes).to_sql(kind, out),
            // A text of PostgreSQL has no zero character, which no name, address or ID has a use for either.
            (Self::Text(text), &(Type::TEXT | Type::VARCHAR)) if text.contains('\0') => {
                text.replace('\0', "\u{fffd}").to_sql(kind, out)
            }
            (Self::Text(text), &(Type::TEXT | Type::VARCHAR)) => text.as_ref().to_sql(kind, out),
            (Self::Bytes(bytes), &Type::BYTEA) => bytes.as_ref().to_sql(kind, out),
            (other, _) => Err(format!("{other:?} cannot be sent as {kind}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
