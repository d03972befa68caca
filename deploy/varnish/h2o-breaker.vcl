# Varnish in front of the nodes of a site. deploy/README.md says what the lines are for. The nodes
# have, at the top level of their configuration:
#
#     breaker.health: /breaker
#     shutdown-delay: 5

vcl 4.1;

import directors;

# A node that says that it is not ready gets no requests, after two seconds at most.
probe readyz {
    .url = "/breaker/readyz";
    .interval = 1s;
    .timeout = 1s;
    .window = 3;
    .threshold = 2;
    .initial = 2;
}

backend first {
    .host = "10.0.0.11:8080";
    .probe = readyz;
    .connect_timeout = 1s;
}

backend second {
    .host = "10.0.0.12:8080";
    .probe = readyz;
    .connect_timeout = 1s;
}

sub vcl_init {
    # Any node answers any request: nobody is tied to one.
    new nodes = directors.round_robin();
    nodes.add_backend(first);
    nodes.add_backend(second);
}

sub vcl_recv {
    set req.backend_hint = nodes.backend();
}

# What one node cannot answer now each of them is asked for, at once. GET and HEAD only: nobody is
# asked twice to do something that he may have done already.
sub vcl_backend_fetch {
    if (bereq.retries == 1) {
        set bereq.backend = first;
    } else if (bereq.retries == 2) {
        set bereq.backend = second;
    }
}

sub vcl_backend_response {
    if (beresp.status == 503 && bereq.retries < 2 && bereq.method ~ "^(GET|HEAD)$") {
        return (retry);
    }
}

sub vcl_backend_error {
    if (bereq.retries < 2 && bereq.method ~ "^(GET|HEAD)$") {
        return (retry);
    }
}
