//! The attributes `#[kani::proof]`, `#[kani::unwind(n)]` and `#[kani::solver(name)]` of the Kani stand-in.
//!
//! A proof is `fn name() { body }`, so tokens are enough and no parser is needed.

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// Turns `fn name() { body }` into a test that hands the body to `kani::run`, with the texts of the covers
/// that stand in it: each of them must be hit.
#[proc_macro_attribute]
pub fn proof(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = item.into_iter().collect();
    let Some((name, body)) = name_and_body(&tokens) else {
        return "compile_error!(\"a proof is a function without arguments and result\");".parse().expect("is Rust");
    };
    let mut covers = Vec::new();
    cover_texts(body.clone(), &mut covers);
    let test =
        format!("{{ ::kani::run(concat!(module_path!(), \"::{name}\"), &[{}], || {{ {body} }}) }}", covers.join(", "));
    let test: TokenStream = test.parse().expect("the body was Rust before");
    let mut output: TokenStream = "#[test]".parse().expect("is Rust");
    // Everything but the body stays as it is: attributes, visibility, name.
    output.extend(tokens[..tokens.len() - 1].iter().cloned());
    output.extend(test);
    output
}

/// Ignored: the stand-in runs loops to their end.
#[proc_macro_attribute]
pub fn unwind(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Ignored: the stand-in has no solver.
#[proc_macro_attribute]
pub fn solver(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// The name of the function, and the tokens of its body.
fn name_and_body(tokens: &[TokenTree]) -> Option<(String, TokenStream)> {
    let function = tokens.iter().position(|t| matches!(t, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    match &tokens[function..] {
        [_, TokenTree::Ident(name), TokenTree::Group(arguments), TokenTree::Group(body)]
            if arguments.stream().is_empty() && body.delimiter() == Delimiter::Brace =>
        {
            Some((name.to_string(), body.stream()))
        }
        _ => None,
    }
}

/// Collects the last string literal in the parentheses of every `cover!(...)`.
fn cover_texts(body: TokenStream, texts: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    for (i, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let is_cover = i >= 2
            && matches!(&tokens[i - 1], TokenTree::Punct(p) if p.as_char() == '!')
            && matches!(&tokens[i - 2], TokenTree::Ident(word) if word.to_string() == "cover");
        if is_cover {
            if let Some(TokenTree::Literal(text)) = group.stream().into_iter().last() {
                texts.push(text.to_string());
            }
        }
        cover_texts(group.stream(), texts);
    }
}
