// The reference for reading: one page that renders /openapi.json by itself, online or not.

#include "api/handlers.h"

namespace linkledger::api {

namespace {

constexpr char const* style = R"css(
:root{--ink:#1d2129;--soft:#5d6675;--line:#e3e6eb;--paper:#fff;--well:#f6f7f9;--accent:#3355d1;--get:#1f7a4d;--post:#a4560b}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ec;--soft:#98a1b0;--line:#2e333d;--paper:#16181d;--well:#1e2128;--accent:#8ea5ff;--get:#62c795;--post:#f0ab66}}
*{box-sizing:border-box}html{scroll-behavior:smooth;scroll-padding-top:1rem}
body{margin:0;font:15px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--ink);background:var(--paper);display:grid;grid-template-columns:19rem minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.2rem 1rem;background:var(--well);border-right:1px solid var(--line)}
nav h1{font-size:1.05rem;margin:0 0 .8rem}nav h2{font-size:.72rem;letter-spacing:.08em;text-transform:uppercase;color:var(--soft);margin:1.2rem 0 .3rem}
nav a{display:block;padding:.14rem .4rem;border-radius:.3rem;color:inherit;text-decoration:none;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;font-size:.86rem}
nav a:hover{background:var(--line)}input{width:100%;font:inherit;padding:.4rem .6rem;border:1px solid var(--line);border-radius:.4rem;background:var(--paper);color:inherit}
main{padding:2rem 2.5rem 6rem;max-width:60rem}main>h2{margin:3rem 0 .5rem;font-size:1.4rem}
article{border:1px solid var(--line);border-radius:.6rem;margin:1rem 0;overflow:hidden}
article>header{display:flex;gap:.7rem;align-items:baseline;padding:.7rem 1rem;background:var(--well);flex-wrap:wrap}
article>div{padding:.4rem 1rem 1rem}.verb{font-weight:700;font-size:.78rem;letter-spacing:.04em}.get{color:var(--get)}.post{color:var(--post)}
code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Consolas,monospace}header code{font-weight:600;overflow-wrap:anywhere}
.scope{margin-left:auto;font-size:.75rem;border:1px solid var(--line);border-radius:1rem;padding:.05rem .6rem;color:var(--soft)}
pre{background:var(--well);border:1px solid var(--line);border-radius:.4rem;padding:.7rem .9rem;overflow:auto;margin:.4rem 0}
h4{margin:1rem 0 .2rem;font-size:.8rem;color:var(--soft);text-transform:uppercase;letter-spacing:.06em}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-top:1px solid var(--line);font-size:.88rem}
tr:first-child td{border-top:0}.type{color:var(--soft)}.must{color:var(--post);font-size:.75rem}p{margin:.4rem 0}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto;border:0}nav section{display:none}main{padding:1rem}}
)css";

constexpr char const* script = R"js(
"use strict";
const el=(tag,attrs={},...kids)=>{const e=document.createElement(tag);for(const k in attrs)e.setAttribute(k,attrs[k]);e.append(...kids.filter(k=>k!=null));return e};
let doc;
const deref=s=>s&&s.$ref?Object.assign({},doc.components.schemas[s.$ref.split("/").pop()],{$name:s.$ref.split("/").pop()},s.description?{description:s.description}:{}):s||{};
const typeText=s=>{if(!s)return"any";if(s.anyOf)return s.anyOf.map(typeText).join(" or ");const d=deref(s);
 if(d.enum)return d.enum.join(" | ");if(d.type==="array")return"array of "+typeText(d.items);if(d.$name)return d.$name;
 const t=Array.isArray(d.type)?d.type.join(" or "):d.type||"any";return d.format&&d.format!=="int64"?t+" ("+d.format+")":t};
const merge=s=>{const d=deref(s);if(!d.allOf)return d;const m={type:"object",properties:{},required:[]};
 for(const part of d.allOf){const p=merge(part);Object.assign(m.properties,p.properties);m.required.push(...(p.required||[]))}return m};
const example=(s,name="",depth=0)=>{if(depth>5)return null;if(s.anyOf)return example(s.anyOf[0],name,depth);const d=merge(s);if(d.enum)return d.enum[0];
 const t=Array.isArray(d.type)?d.type[0]:d.type;if(t==="array")return[example(d.items||{},name,depth+1)];
 if(t==="object"||d.properties){const o={};for(const k in d.properties||{})o[k]=example(d.properties[k],k,depth+1);return o}
 if(t==="integer"||t==="number")return 1;if(t==="boolean")return true;
 if(d.format==="uuid")return"01927f0e-4c1b-7c3a-9d5e-2b8f6a1c0d42";if(d.format==="date-time")return"2026-11-21T03:08:19.123456Z";
 if(/url/.test(name))return"https://example.com/";return t==="string"?"text":{}};
const fields=s=>{const d=merge(s),rows=[];for(const k in d.properties||{}){const p=d.properties[k],q=deref(p);
 rows.push(el("tr",{},el("td",{},el("code",{},k)," ",(d.required||[]).includes(k)?el("span",{class:"must"},"required"):null),el("td",{class:"type"},typeText(p)),el("td",{},p.description||q.description||"")))}
 return rows.length?el("table",{},...rows):null};
const schemaOf=c=>c&&Object.values(c.content||{})[0]&&Object.values(c.content)[0].schema;
const curl=(verb,path,op)=>{let c="curl "+(verb==="post"?"-X POST ":"")+"'"+location.origin+path.replace("{id}","01927f0e-4c1b-7c3a-9d5e-2b8f6a1c0d42")+"'";
 if((op.security||[]).length)c+=" \\\n  -H 'Authorization: Bearer '$KEY";const s=schemaOf(op.requestBody);
 if(s&&op.requestBody.content["application/json"])c+=" \\\n  -H 'Content-Type: application/json' \\\n  -d '"+JSON.stringify(requiredOnly(s))+"'";return c};
const requiredOnly=s=>{const d=merge(s);if(d.type==="array")return[requiredOnly(d.items)];const all=example(s);if(!d.properties)return all;
 const o={};for(const k of Object.keys(d.properties))if((d.required||[]).includes(k))o[k]=all[k];return o};
const article=(path,verb,op)=>{const id=verb+path,a=el("article",{id}),body=el("div");
 a.append(el("header",{},el("span",{class:"verb "+verb},verb.toUpperCase()),el("code",{},path),el("span",{},op.summary||""),el("span",{class:"scope"},op["x-scope"]?"scope "+op["x-scope"]:"open")),body);
 if((op.parameters||[]).length)body.append(el("h4",{},"Parameters"),el("table",{},...op.parameters.map(p=>el("tr",{},el("td",{},el("code",{},p.name)," ",p.required?el("span",{class:"must"},"required"):null),el("td",{class:"type"},p.in+", "+typeText(p.schema)),el("td",{},p.description||"")))));
 const input=schemaOf(op.requestBody);if(input){const f=fields(deref(input).type==="array"?deref(input).items:input);if(f)body.append(el("h4",{},"Body"),f)}
 body.append(el("h4",{},"Example"),el("pre",{},curl(verb,path,op)));
 const out=schemaOf((op.responses||{})["200"]);if(out)body.append(el("h4",{},"Answer"),el("pre",{},JSON.stringify(example(out),null,2)));
 const codes=Object.entries(op.responses||{});body.append(el("h4",{},"Statuses"),el("table",{},...codes.map(([c,r])=>el("tr",{},el("td",{},el("code",{},c)),el("td",{},r.description||"")))));
 return a};
fetch("/openapi.json").then(r=>r.json()).then(d=>{doc=d;const main=document.querySelector("main"),list=document.querySelector("nav section"),groups={};
 document.querySelector("#about").textContent=d.info.description+" Version "+d.info.version+".";
 for(const path in d.paths)for(const verb in d.paths[path]){const op=d.paths[path][verb];(groups[op.tags[0]]??=[]).push([path,verb,op])}
 for(const tag in groups){main.append(el("h2",{},tag));list.append(el("h2",{},tag));
  for(const[path,verb,op]of groups[tag]){main.append(article(path,verb,op));list.append(el("a",{href:"#"+verb+path,title:op.summary||""},tag==="Commands"&&op.operationId?op.operationId:path))}}
 main.append(el("h2",{},"Problem codes"),el("table",{},...d["x-problem-codes"].map(c=>el("tr",{},el("td",{},el("code",{},c.code)),el("td",{},String(c.status)),el("td",{},c.meaning)))));
 document.querySelector("input").addEventListener("input",e=>{const q=e.target.value.toLowerCase();
  for(const a of document.querySelectorAll("article"))a.hidden=!a.textContent.toLowerCase().includes(q);
  for(const a of list.querySelectorAll("a"))a.hidden=!(a.title+a.textContent).toLowerCase().includes(q)});
 if(location.hash)location.replace(location.hash)}).catch(e=>{document.querySelector("#about").textContent="The reference could not be read: "+e});
)js";

}  // namespace

std::string const& docs_page() {
    static std::string const page =
        std::string{
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>linkledger API</title>"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>"} +
        style +
        "</style></head><body><nav><h1>linkledger API</h1><input type=\"search\" placeholder=\"Find…\" "
        "aria-label=\"Find\"><section></section></nav><main><h1>HTTP API</h1><p id=\"about\">Loading…</p>"
        "<p>Send <code>Authorization: Bearer &lt;key&gt;</code>. Errors are "
        "<code>application/problem+json</code> with a stable <code>code</code>. Every command answers with "
        "its "
        "<code>position</code>; a read with <code>?after=&lt;position&gt;</code> reflects "
        "it.</p></main><script>" +
        script + "</script></body></html>";
    return page;
}

}  // namespace linkledger::api
