-- What lighttpd answers to a token that is newer than the current one.
local head = lighty.r.resp_header
head["Content-Type"] = "text/plain"
head["Cache-Control"] = "no-store"
head["Retry-After"] = "3"
lighty.r.resp_body:set("not on this node yet, try again\n")
return 503
