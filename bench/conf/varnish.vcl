# Varnish for the job of one h2o-breaker node: every answer is a hit or made in VCL. Behind it
# stands the nginx of this benchmark, asked once for each object, on the load generator's core; its
# time does not count. Age, Via and X-Varnish are taken off: they change from answer to answer.
vcl 4.1;

backend default {
    .host = "127.0.0.1";
    .port = "@BACKEND_PORT@";
}

sub vcl_recv {
    if (req.url ~ "^/static/@TOKEN@/") {
        return (hash);
    }
    if (req.url ~ "^/static/@OLDER_THAN_CURRENT@/") {
        return (synth(301));
    }
    return (synth(503));
}

sub vcl_hash {
    hash_data(req.url);
    # the backend chooses the encoding by it
    hash_data(req.http.Accept-Encoding);
    return (lookup);
}

sub vcl_backend_response {
    unset beresp.http.Server;
    set beresp.ttl = 1d;
    return (deliver);
}

sub vcl_deliver {
    unset resp.http.Age;
    unset resp.http.Via;
    unset resp.http.X-Varnish;
    return (deliver);
}

sub vcl_synth {
    unset resp.http.Server;
    unset resp.http.X-Varnish;
    if (resp.status == 301) {
        set resp.http.Location = regsub(req.url, "^/static/[0-9]+/", "/static/@TOKEN@/");
        set resp.http.Cache-Control = "public, max-age=60";
    } else {
        set resp.http.Content-Type = "text/plain";
        set resp.http.Cache-Control = "no-store";
        set resp.http.Retry-After = "3";
        synthetic({"not on this node yet, try again
"});
    }
    return (deliver);
}
