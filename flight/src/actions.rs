//! Actions beyond Flight SQL's own: session options, cancelling, renewing. The session messages are not in arrow-flight.

use std::collections::HashMap;

use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightEndpoint, RenewFlightEndpointRequest,
};
use lakewright_proto::{Error, ErrorCode};
use prost::Message;
use tonic::metadata::{Ascii, MetadataValue};

use crate::options::{Fault, NAMES};
use crate::server::Parts;
use crate::sessions::Caller;

pub(crate) const CANCEL_FLIGHT_INFO: &str = "CancelFlightInfo";
pub(crate) const RENEW_FLIGHT_ENDPOINT: &str = "RenewFlightEndpoint";
pub(crate) const SET_SESSION_OPTIONS: &str = "SetSessionOptions";
pub(crate) const GET_SESSION_OPTIONS: &str = "GetSessionOptions";
pub(crate) const CLOSE_SESSION: &str = "CloseSession";

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StringList {
    #[prost(string, repeated, tag = "1")]
    pub(crate) values: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(sfixed64, tag = "3")]
    Whole(i64),
    #[prost(double, tag = "4")]
    Real(f64),
    #[prost(message, tag = "5")]
    List(StringList),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OptionValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    pub(crate) value: Option<Value>,
}

/// SetSessionOptionsRequest, and GetSessionOptionsResult, which has the same shape.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SessionOptions {
    #[prost(map = "string, message", tag = "1")]
    pub(crate) options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OptionError {
    #[prost(int32, tag = "1")]
    pub(crate) value: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SetResult {
    #[prost(map = "string, message", tag = "1")]
    pub(crate) errors: HashMap<String, OptionError>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CloseResult {
    #[prost(int32, tag = "1")]
    pub(crate) status: i32,
}

const INVALID_NAME: i32 = 1;
const INVALID_VALUE: i32 = 2;
const CLOSED: i32 = 1;

/// The body of an action's answer, and the cookie that goes with it.
pub(crate) struct Answer {
    pub(crate) body: Vec<u8>,
    pub(crate) cookie: Option<MetadataValue<Ascii>>,
}

fn unreadable(e: prost::DecodeError) -> Error {
    Error::new(ErrorCode::InvalidArgument, format!("the action's body cannot be read: {e}"))
}

impl Parts {
    /// Does an action.
    pub(crate) fn act(&self, caller: &Caller, action: Action) -> Result<Answer, Error> {
        let plain = |body| Ok(Answer { body, cookie: None });
        match action.r#type.as_str() {
            CANCEL_FLIGHT_INFO => {
                let request = CancelFlightInfoRequest::decode(action.body).map_err(unreadable)?;
                let info = request.info.ok_or_else(|| Error::new(ErrorCode::InvalidArgument, "no FlightInfo to cancel"))?;
                self.cancel(caller, &info)?;
                plain(CancelFlightInfoResult::new(CancelStatus::Cancelled).encode_to_vec())
            }
            RENEW_FLIGHT_ENDPOINT => {
                let request = RenewFlightEndpointRequest::decode(action.body).map_err(unreadable)?;
                let endpoint: FlightEndpoint =
                    request.endpoint.ok_or_else(|| Error::new(ErrorCode::InvalidArgument, "no endpoint to renew"))?;
                plain(self.renew(caller, endpoint)?.encode_to_vec())
            }
            SET_SESSION_OPTIONS => Ok(self.set_options(caller, SessionOptions::decode(action.body).map_err(unreadable)?)),
            GET_SESSION_OPTIONS => {
                let options = caller.state.options();
                let value =
                    |name: &str| Some((name.to_owned(), OptionValue { value: Some(Value::Text(options.get(&caller.slug, name)?)) }));
                plain(SessionOptions { options: NAMES.into_iter().filter_map(value).collect() }.encode_to_vec())
            }
            CLOSE_SESSION => {
                let cookie = self.sessions.close(&caller.state);
                Ok(Answer { body: CloseResult { status: CLOSED }.encode_to_vec(), cookie })
            }
            other => {
                let message = format!("action {other:?} is not known; ListActions names those that are");
                Err(Error::new(ErrorCode::InvalidArgument, message))
            }
        }
    }

    /// Sets those options that can be set, and says which could not.
    fn set_options(&self, caller: &Caller, request: SessionOptions) -> Answer {
        let mut errors = HashMap::new();
        for (name, option) in request.options {
            let value = match option.value {
                None => None,
                Some(Value::Text(t)) => Some(t),
                Some(Value::Flag(b)) => Some(b.to_string()),
                Some(Value::Whole(n)) => Some(n.to_string()),
                Some(Value::Real(f)) => Some(f.to_string()),
                Some(Value::List(l)) => Some(l.values.join(",")),
            };
            let done = caller.state.change(|o| o.set(&caller.slug, &name, value.as_deref()));
            if let Err(fault) = done {
                let value = if matches!(fault, Fault::Name(_)) { INVALID_NAME } else { INVALID_VALUE };
                errors.insert(name, OptionError { value });
            }
        }
        Answer { body: SetResult { errors }.encode_to_vec(), cookie: self.sessions.keep(caller) }
    }
}

/// What ListActions tells of them.
pub(crate) fn listed() -> Vec<ActionType> {
    let one = |name: &str, what: &str| ActionType { r#type: name.to_owned(), description: what.to_owned() };
    vec![
        one(CANCEL_FLIGHT_INFO, "Cancels the query of a FlightInfo."),
        one(RENEW_FLIGHT_ENDPOINT, "Gives a ticket another 15 minutes."),
        one(SET_SESSION_OPTIONS, "Sets session options: schema, require_quality, require_freshness."),
        one(GET_SESSION_OPTIONS, "Tells the session's options."),
        one(CLOSE_SESSION, "Ends the session."),
    ]
}
