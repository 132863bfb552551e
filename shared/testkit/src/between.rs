//! A proxy before a CQL server that loses, forges and delays single frames of the protocol.

use std::sync::Arc;

use scylla::errors::{DbError, WriteType};
use scylla_proxy::{
    Condition, Node, Proxy, Reaction, RequestOpcode, RequestReaction, RequestRule, ResponseFrame, ResponseOpcode,
    ResponseReaction, ResponseRule, RunningProxy, ShardAwareness,
};
use store::cql::Settings;
use tokio::sync::mpsc;

use crate::free_port;

/// What only the answer to a compare-and-set says.
pub const APPLIED: &[u8] = b"[applied]";

/// Stands before the first node of a server.
pub struct CqlProxy {
    running: RunningProxy,
}

/// Whether a rule has had its turn: a fault that did not happen proves nothing.
pub struct Happened(mpsc::UnboundedReceiver<()>);

impl Happened {
    /// Panics unless it had.
    pub fn surely(mut self) {
        self.0.try_recv().expect("the frame that was to be broken did not come by");
    }
}

impl CqlProxy {
    /// A proxy before the first node, which the settings then name instead of it.
    pub async fn before(settings: &mut Settings, rules: Vec<RequestRule>) -> Self {
        let nodes = settings.nodes.take().expect("a server");
        let real = nodes.split(',').next().expect("a node").parse().expect("host:port");
        let here = format!("127.0.0.1:{}", free_port()).parse().expect("host:port");
        let node = Node::builder().real_address(real).proxy_address(here).shard_awareness(ShardAwareness::Unaware);
        settings.nodes = Some(here.to_string());
        let proxy = Proxy::builder().with_node(node.request_rules(rules).build()).build();
        Self { running: proxy.run().await.expect("a proxy") }
    }

    /// From now on statements that say so are treated so, this often.
    pub fn requests(&mut self, times: usize, saying: &[u8], reaction: RequestReaction) {
        let execute =
            Condition::RequestOpcode(RequestOpcode::Execute).or(Condition::RequestOpcode(RequestOpcode::Batch));
        let says = Condition::BodyContainsCaseSensitive(saying.into());
        self.request_rules(vec![RequestRule(execute.and(says).and(Condition::TrueForLimitedTimes(times)), reaction)]);
    }

    /// From now on these rules are for statements, and no others.
    pub fn request_rules(&mut self, rules: Vec<RequestRule>) {
        self.running.running_nodes[0].change_request_rules(Some(rules));
    }

    /// From now on answers that say so are treated so, this often.
    pub fn answers(&mut self, times: usize, saying: &[u8], reaction: ResponseReaction) {
        let result = Condition::ResponseOpcode(ResponseOpcode::Result);
        let says = Condition::BodyContainsCaseSensitive(saying.into());
        let rule = ResponseRule(result.and(says).and(Condition::TrueForLimitedTimes(times)), reaction);
        self.running.running_nodes[0].change_response_rules(Some(vec![rule]));
    }

    /// The next answer to a compare-and-set is lost on the way between the nodes: it is done or refused, and the client is told that
    /// nobody knows. The connection stays.
    pub fn lose_the_next_outcome(&mut self) -> Happened {
        let (told, happened) = mpsc::unbounded_channel();
        let lost = DbError::WriteTimeout {
            consistency: scylla::statement::Consistency::LocalQuorum,
            received: 1,
            required: 2,
            write_type: WriteType::Cas,
        };
        let lose = ResponseReaction::transform_frame(Arc::new(move |mut answer: ResponseFrame| {
            told.send(()).ok();
            // What they say of is not there any more.
            answer.params.flags = 0;
            ResponseFrame::forged_error(answer.params, lost.clone(), None).expect("a frame")
        }));
        self.answers(1, APPLIED, lose);
        Happened(happened)
    }

    /// From now on everything passes.
    pub fn calm(&mut self) {
        self.running.turn_off_rules();
    }
}
