#include "admin/dashboard.h"

#include "admin/dashboard_page.h"
#include "front/reply.h"
#include "http/fields.h"

enum { STATUS_OK = 200 };

void dashboard_answer(struct client *client)
{
	struct fields fields = {0};

	fields_add_text(&fields, "Content-Type", "text/html; charset=utf-8");
	fields_add_text(&fields, "Cache-Control", "no-store");
	fields_add_text(&fields, "Content-Security-Policy", dashboard_policy);
	fields_add_text(&fields, "X-Content-Type-Options", "nosniff");
	/* for browsers that do not know frame-ancestors */
	fields_add_text(&fields, "X-Frame-Options", "DENY");
	fields_add_text(&fields, "Referrer-Policy", "no-referrer");
	fields_add_text(&fields, "Cross-Origin-Resource-Policy", "same-origin");
	reply_page(client, STATUS_OK, &fields, dashboard_page, dashboard_page_bytes);
	fields_finish(&fields);
}
