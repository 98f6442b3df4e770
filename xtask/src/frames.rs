//! Gives every function of the script a fixed address for its stack frame.
//!
//! Each slice that Rust returns goes through memory, so nearly every function allocates a stack frame and
//! releases it: a dozen bytes of code each time. No function of the script is recursive, so one fixed frame
//! per function is enough, and its address is a constant.

use std::collections::BTreeMap;

use walrus::ir::{BinaryOp, Call, Instr, InstrSeq, InstrSeqId, Value, Visitor, dfs_in_order};
use walrus::{FunctionId, FunctionKind, GlobalId, LocalFunction, Module};

use crate::Outcome;

/// The first address used: the addresses below stay unused, so that none equals a null pointer.
const FIRST: i32 = 16;

/// Replaces the stack pointer of a module by constants.
///
/// # Errors
/// If a function is recursive, directly or through others, or uses the stack pointer in an unknown way, or if
/// the frames are larger than the stack.
pub(crate) fn fix(module: &mut Module) -> Outcome {
    let Some(pointer) =
        module.globals.iter().find(|global| global.name.as_deref() == Some("__stack_pointer"))
    else {
        return Err("the script has no stack pointer: no global is named __stack_pointer".into());
    };
    let pointer = pointer.id();
    let Some(top) = pointer_start(module, pointer) else {
        return Err("the stack does not start at a constant".into());
    };
    check_recursion(module)?;
    let mut next = FIRST;
    for (_, function) in module.funcs.iter_local_mut() {
        for id in sequences(function) {
            fix_sequence(function.block_mut(id), pointer, &mut next);
        }
    }
    for (_, function) in module.funcs.iter_local() {
        for id in sequences(function) {
            if function.block(id).instrs.iter().any(|(instr, _)| uses(instr, pointer)) {
                return Err("a function uses the stack pointer in an unknown way".into());
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

/// All instruction sequences of a function, nested ones too.
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

fn uses(instr: &Instr, pointer: GlobalId) -> bool {
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
            // A frame is allocated: pointer, size, sub; the new pointer is stored in a local, and in a leaf
            // function only there.
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
            // The pointer is set to the value just stored in the local.
            [Some(Instr::LocalTee(tee)), set, ..] if is_set(set) => {
                let local = tee.local;
                sequence.instrs.remove(at + 1);
                if let Some((first, _)) = sequence.instrs.get_mut(at) {
                    *first = Instr::LocalSet(walrus::ir::LocalSet { local });
                }
            }
            // The frame is released: local, size, add.
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

fn check_recursion(module: &Module) -> Outcome {
    #[derive(Default)]
    struct Calls {
        direct: Vec<FunctionId>,
        indirect: bool,
    }
    impl Visitor<'_> for Calls {
        fn visit_call(&mut self, call: &Call) {
            self.direct.push(call.func);
        }
        fn visit_call_indirect(&mut self, _: &walrus::ir::CallIndirect) {
            self.indirect = true;
        }
    }
    let mut remaining: BTreeMap<FunctionId, Vec<FunctionId>> = BTreeMap::new();
    for function in module.funcs.iter() {
        let mut calls = Calls::default();
        if let FunctionKind::Local(local) = &function.kind {
            dfs_in_order(&mut calls, local, local.entry_block());
        }
        if calls.indirect {
            return Err("a function is called by a pointer, so recursion cannot be excluded".into());
        }
        remaining.insert(function.id(), calls.direct);
    }
    // Remove functions that call no remaining function, until none is left.
    while !remaining.is_empty() {
        let before = remaining.len();
        let ids: Vec<_> = remaining.keys().copied().collect();
        remaining.retain(|_, calls| calls.iter().any(|called| ids.contains(called)));
        if remaining.len() == before {
            return Err("a function of the script calls itself".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use walrus::ir::BinaryOp::{I32Add, I32Sub};
    use walrus::{ConstExpr, FunctionBuilder, ModuleConfig, ValType};

    use super::*;

    /// A module whose one function allocates a frame of 32 bytes, calls itself if `calls_itself`, and
    /// releases the frame.
    fn module(top: i32, calls_itself: bool) -> Module {
        let mut module = Module::with_config(ModuleConfig::new());
        let top = ConstExpr::Value(Value::I32(top));
        let pointer = module.globals.add_local(ValType::I32, true, false, top);
        module.globals.get_mut(pointer).name = Some("__stack_pointer".into());
        let frame = module.locals.add(ValType::I32);
        let mut function = FunctionBuilder::new(&mut module.types, &[], &[]);
        let mut body = function.func_body();
        body.global_get(pointer).i32_const(32).binop(I32Sub).local_tee(frame).global_set(pointer);
        body.local_get(frame).drop();
        body.local_get(frame).i32_const(32).binop(I32Add).global_set(pointer);
        let id = function.finish(Vec::new(), &mut module.funcs);
        if calls_itself {
            module.funcs.get_mut(id).kind.unwrap_local_mut().builder_mut().func_body().call(id);
        }
        module
    }

    #[test]
    fn a_frame_becomes_a_constant_and_is_not_released() {
        let mut module = module(4096, false);
        fix(&mut module).unwrap();
        let (_, function) = module.funcs.iter_local().next().unwrap();
        let body = &function.block(function.entry_block()).instrs;
        let kinds: Vec<_> = body.iter().map(|(instr, _)| format!("{instr:?}")).collect();
        assert_eq!(kinds.len(), 4, "{kinds:?}");
        assert!(kinds[0].contains(&format!("I32({FIRST})")) && kinds[1].starts_with("LocalSet"), "{kinds:?}");
        assert!(kinds[2].starts_with("LocalGet") && kinds[3].starts_with("Drop"), "{kinds:?}");
    }

    #[test]
    fn recursion_too_large_frames_and_a_missing_stack_pointer_are_refused() {
        let check = |mut module: Module, words: &str| {
            let refusal = fix(&mut module).unwrap_err().to_string();
            assert!(refusal.contains(words), "{refusal}");
        };
        check(module(4096, true), "calls itself");
        check(module(16, false), "take 48 bytes of 16");
        check(Module::with_config(ModuleConfig::new()), "no stack pointer");
    }
}
