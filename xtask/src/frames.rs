//! Gives every function of the script a fixed place for what it keeps on the stack.
//!
//! Each slice that Rust returns goes through memory, so nearly every function takes a frame from the stack and gives it
//! back: a dozen bytes each time. Nothing in the script calls itself, so one place for each frame serves as well, and
//! its address is a constant.

use std::collections::BTreeMap;

use walrus::ir::{BinaryOp, Call, Instr, InstrSeq, InstrSeqId, Value, Visitor, dfs_in_order};
use walrus::{FunctionId, FunctionKind, GlobalId, LocalFunction, Module};

use crate::Outcome;

/// The first address handed out: what lies below is never a place of anything, as for a null pointer.
const FIRST: i32 = 16;

/// Replaces the stack pointer of a module by constants.
///
/// # Errors
/// Where a function calls itself, through others too, or handles the stack in a way that is not known here; and where
/// the frames take more than the stack had.
pub(crate) fn fix(module: &mut Module) -> Outcome {
    let Some(pointer) =
        module.globals.iter().find(|global| global.name.as_deref() == Some("__stack_pointer"))
    else {
        return Err("the script has no stack pointer to be found by its name".into());
    };
    let pointer = pointer.id();
    let top = match pointer_start(module, pointer) {
        Some(top) => top,
        None => return Err("the stack starts at no constant".into()),
    };
    nothing_calls_itself(module)?;
    let mut next = FIRST;
    for (_, function) in module.funcs.iter_local_mut() {
        for id in sequences(function) {
            fix_sequence(function.block_mut(id), pointer, &mut next);
        }
    }
    for (_, function) in module.funcs.iter_local() {
        for id in sequences(function) {
            if function.block(id).instrs.iter().any(|(instr, _)| names(instr, pointer)) {
                return Err("a function handles the stack in a way that is not known".into());
            }
        }
    }
    if next > top { Err(format!("the frames take {next} bytes of {top}").into()) } else { Ok(()) }
}

fn pointer_start(module: &Module, pointer: GlobalId) -> Option<i32> {
    match module.globals.get(pointer).kind {
        walrus::GlobalKind::Local(walrus::ConstExpr::Value(Value::I32(top))) => Some(top),
        _ => None,
    }
}

/// All sequences of instructions in a function, however deep.
fn sequences(function: &LocalFunction) -> Vec<InstrSeqId> {
    struct Ids(Vec<InstrSeqId>);
    impl<'a> Visitor<'a> for Ids {
        fn start_instr_seq(&mut self, sequence: &'a InstrSeq) {
            self.0.push(sequence.id());
        }
    }
    let mut ids = Ids(Vec::new());
    dfs_in_order(&mut ids, function, function.entry_block());
    ids.0
}

fn names(instr: &Instr, pointer: GlobalId) -> bool {
    match instr {
        Instr::GlobalGet(get) => get.global == pointer,
        Instr::GlobalSet(set) => set.global == pointer,
        _ => false,
    }
}

fn fix_sequence(sequence: &mut InstrSeq, pointer: GlobalId, next: &mut i32) {
    let mut at = 0;
    while let Some(rest) = sequence.instrs.get(at..) {
        let mut few = rest.iter().map(|(instr, _)| instr);
        let four = [few.next(), few.next(), few.next(), few.next()];
        let is_set =
            |instr: Option<&Instr>| matches!(instr, Some(Instr::GlobalSet(set)) if set.global == pointer);
        match four {
            [None, ..] => return,
            // A frame is taken: pointer, size, sub, and the new pointer is kept in a local, by a leaf alone.
            [Some(Instr::GlobalGet(get)), Some(Instr::Const(size)), Some(Instr::Binop(op)), _]
                if get.global == pointer && matches!(op.op, BinaryOp::I32Sub) =>
            {
                let Value::I32(size) = size.value else { return };
                let address = *next;
                *next = next.saturating_add(size);
                sequence.instrs.drain(at + 1..at + 3);
                if let Some((first, _)) = sequence.instrs.get_mut(at) {
                    *first = Instr::Const(walrus::ir::Const { value: Value::I32(address) });
                }
            }
            // The pointer is set to what has just been kept.
            [Some(Instr::LocalTee(tee)), set, ..] if is_set(set) => {
                let local = tee.local;
                sequence.instrs.remove(at + 1);
                if let Some((first, _)) = sequence.instrs.get_mut(at) {
                    *first = Instr::LocalSet(walrus::ir::LocalSet { local });
                }
            }
            // The frame is given back: local, size, add.
            [Some(Instr::LocalGet(_)), Some(Instr::Const(_)), Some(Instr::Binop(op)), set]
                if matches!(op.op, BinaryOp::I32Add) && is_set(set) =>
            {
                sequence.instrs.drain(at..at + 4);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

fn nothing_calls_itself(module: &Module) -> Outcome {
    #[derive(Default)]
    struct Calls {
        direct: Vec<FunctionId>,
        indirect: bool,
    }
    impl<'a> Visitor<'a> for Calls {
        fn visit_call(&mut self, call: &Call) {
            self.direct.push(call.func);
        }
        fn visit_call_indirect(&mut self, _: &walrus::ir::CallIndirect) {
            self.indirect = true;
        }
    }
    let mut left: BTreeMap<FunctionId, Vec<FunctionId>> = BTreeMap::new();
    for function in module.funcs.iter() {
        let mut calls = Calls::default();
        if let FunctionKind::Local(local) = &function.kind {
            dfs_in_order(&mut calls, local, local.entry_block());
        }
        if calls.indirect {
            return Err("a function is called by a pointer, so nobody knows whether it calls itself".into());
        }
        left.insert(function.id(), calls.direct);
    }
    // Take away what calls nothing that is left, until nothing is.
    while !left.is_empty() {
        let before = left.len();
        let ids: Vec<_> = left.keys().copied().collect();
        left.retain(|_, calls| calls.iter().any(|called| ids.contains(called)));
        if left.len() == before {
            return Err("a function of the script calls itself".into());
        }
    }
    Ok(())
}
